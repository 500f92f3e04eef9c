// Package footprint measures how soon the programs are ready and how much memory an agent takes. Times are printed, never judged: what a
// machine does beside it decides about them.
package footprint
