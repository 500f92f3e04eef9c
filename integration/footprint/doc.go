// Package footprint measures how soon the programs are ready and how much memory an agent takes. Judged are memory, and the processor time of a
// start; time on the clock is printed alone: what a machine does beside it decides about it.
package footprint
