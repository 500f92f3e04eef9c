// Package images holds the images that `make images` writes to what is said of them.
package images
