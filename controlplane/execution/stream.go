package execution

import (
	"regexp"
	"strconv"
	"strings"
)

const (
	streamPrefix  = "step/"
	servicePrefix = "service/"
)

// Stream returns the name of the log stream of the step with an index.
func Stream(index int) string { return streamPrefix + strconv.Itoa(index) }

// StreamIndex returns the step index of a stream name; ok is false when the name is not one that Stream makes.
func StreamIndex(stream string) (index int, ok bool) {
	digits, found := strings.CutPrefix(stream, streamPrefix)
	if !found {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || Stream(n) != stream {
		return 0, false
	}
	return n, true
}

// ServiceStream names the log of a service.
func ServiceStream(service string) string { return servicePrefix + service }

// StreamService returns the service of a stream name; ok is false when the name is not one that ServiceStream makes of a name that the
// language allows.
func StreamService(stream string) (service string, ok bool) {
	name, found := strings.CutPrefix(stream, servicePrefix)
	return name, found && reService.MatchString(name)
}

// IsStream reports whether there may be a log of that name.
func IsStream(stream string) bool {
	_, step := StreamIndex(stream)
	_, service := StreamService(stream)
	return step || service
}

var reService = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?$`)
