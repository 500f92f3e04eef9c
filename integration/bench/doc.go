// Package bench measures Seatrial with its real parts. Each benchmark prints what it measures in the units of its claim; arms that are
// compared run in turns within one run. Nothing here fails because of a time: machines differ.
package bench
