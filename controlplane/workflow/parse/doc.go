// Package parse reads documents: every fault at once, with its line, column and field path.
//
// One decoder walks the types of package document and their rule tags; what concerns several fields is checked after the fields
// of a type are read. Expressions are checked last, when all names of the document are known.
package parse
