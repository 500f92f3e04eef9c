package engine

// ParseOutputs lets tests reach the parser of what steps write.
var ParseOutputs = parseOutputs
