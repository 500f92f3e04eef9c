// Package rule is the checks of texts that rule tags name: what a name, an image, a pattern or a schedule has to look like.
package rule

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/seatrial/seatrial/controlplane/workflow/say"
)

// Checks return what is wrong with a value as the end of a sentence about a field, or "".

var (
	reLabel     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	reSubdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	reQualified = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)
	reKey       = regexp.MustCompile(`^[-._a-zA-Z0-9]{1,253}$`)
	reName      = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	reQuantity  = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?([eE][0-9]{1,2}|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$`)
	reImage     = regexp.MustCompile(`^[A-Za-z0-9\[][A-Za-z0-9._:/@\[\]-]*$`)
	reSCP       = regexp.MustCompile(`^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^:]+$`)
)

func matches(re *regexp.Regexp, limit int, wrong string) func(string) string {
	return func(s string) string {
		if len(s) > limit || !re.MatchString(s) {
			return fmt.Sprintf("%q %s", say.Shorten(s), wrong)
		}
		return ""
	}
}

func isLabel(s string) string {
	return matches(reLabel, 63, "is not a valid name: use at most 63 lower-case letters, digits and dashes, with a letter or digit at both ends")(s)
}

// isServiceName leaves room for what the name of its container has before it.
func isServiceName(s string) string {
	return matches(reLabel, 50, "is not a valid name of a service: use at most 50 lower-case letters, digits and dashes, with a letter or digit at both ends")(s)
}

// isVolumeName leaves room for what the name has before it in the pod.
func isVolumeName(s string) string {
	return matches(reLabel, 61, "is not a valid name of a volume: use at most 61 lower-case letters, digits and dashes, with a letter or digit at both ends")(s)
}

func isObjectName(s string) string {
	return matches(reSubdomain, 253, "is not a valid name of a Kubernetes object: use lower-case letters, digits, dashes and dots")(s)
}

func isKey(s string) string {
	return matches(reKey, 253, "is not a valid key: use letters, digits, dashes, dots and underscores")(s)
}

func isEnvName(s string) string {
	if strings.HasPrefix(strings.ToUpper(s), "SEATRIAL_") {
		return fmt.Sprintf("%q is reserved: names that begin with SEATRIAL_ are set by Seatrial", say.Shorten(s))
	}
	return matches(reName, 128, "is not a valid variable name: use letters, digits and underscores, not a digit first")(s)
}

func isParamName(s string) string {
	if slices.Contains([]string{"true", "false", "null", "in"}, s) {
		return fmt.Sprintf("%q is a word of the expression language", s)
	}
	return matches(reName, 128, "is not a valid parameter name: use letters, digits and underscores, not a digit first")(s)
}

func isQualifiedName(s string) string {
	prefix, name, found := strings.Cut(s, "/")
	if !found {
		prefix, name = "", s
	}
	if !reQualified.MatchString(name) || found && (len(prefix) > 253 || !reSubdomain.MatchString(prefix)) {
		return fmt.Sprintf("%q is not a valid label or annotation key", say.Shorten(s))
	}
	return ""
}

func isLabelValue(s string) string {
	if s != "" && !reQualified.MatchString(s) {
		return fmt.Sprintf("%q is not a valid label value: use at most 63 letters, digits, dashes, dots and underscores", say.Shorten(s))
	}
	return ""
}

// isPodKey refuses the keys by which the agent finds its own pods.
func isPodKey(s string) string {
	prefix, _, _ := strings.Cut(s, "/")
	if prefix == "seatrial.dev" || strings.HasSuffix(prefix, ".seatrial.dev") {
		return fmt.Sprintf("%q is reserved: keys of seatrial.dev are set by Seatrial", say.Shorten(s))
	}
	return isQualifiedName(s)
}

func isQuantity(s string) string {
	return matches(reQuantity, 40, `is not a quantity such as "500m", "2" or "512Mi"`)(s)
}

func isImage(s string) string {
	return matches(reImage, 1024, "is not an image reference")(s)
}

// isArtifact demands the registry: nothing stands in for it, as Docker Hub does for images.
func isArtifact(s string) string {
	if wrong := isImage(s); wrong != "" {
		return fmt.Sprintf("%q is not an artifact such as registry.example.test/tests/checkout:1.2", say.Shorten(s))
	}
	host, name, _ := strings.Cut(s, "/")
	if name == "" || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return fmt.Sprintf("%q does not name its registry, as registry.example.test/tests/checkout:1.2 does", say.Shorten(s))
	}
	return ""
}

// OneOf returns a check for one of some words.
func OneOf(values ...string) func(string) string {
	return func(s string) string {
		if slices.Contains(values, s) {
			return ""
		}
		return fmt.Sprintf("must be one of %s, not %q%s", strings.Join(values, ", "), say.Shorten(s), say.DidYouMean(s, values))
	}
}

// isInWorkspace accepts paths that stay below the workspace.
func isInWorkspace(s string) string {
	switch {
	case s == "":
		return "is empty"
	case path.IsAbs(s), strings.Contains(s, `\`):
		return fmt.Sprintf("%q must be a path relative to the workspace, with slashes", say.Shorten(s))
	case slices.Contains(strings.Split(s, "/"), ".."):
		return fmt.Sprintf("%q must not leave the workspace", say.Shorten(s))
	case strings.ContainsAny(s, "\n\x00"):
		return "must be one line"
	}
	return ""
}

func isFile(s string) string {
	if wrong := isInWorkspace(s); wrong != "" {
		return wrong
	}
	if path.Clean(s) != s || s == "." {
		return fmt.Sprintf("%q must be the plain path of a file", say.Shorten(s))
	}
	return ""
}

func isPattern(s string) string {
	if wrong := isInWorkspace(s); wrong != "" {
		return wrong
	}
	if !doublestar.ValidatePattern(s) {
		return fmt.Sprintf(`%q is not a valid pattern; use names, "*", "**", "?", "[a-z]" and "{a,b}"`, say.Shorten(s))
	}
	return ""
}

func isWorkingDir(s string) string {
	if path.IsAbs(s) && !strings.ContainsAny(s, "\n\x00") {
		return ""
	}
	return isInWorkspace(s)
}

func isGitURL(s string) string {
	if reSCP.MatchString(s) {
		return ""
	}
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Host == "", !slices.Contains([]string{"https", "http", "ssh", "git"}, u.Scheme):
		return fmt.Sprintf("%q is not a repository URL such as https://git.example.test/shop.git", say.Shorten(redact(u, s)))
	case hasPassword(u):
		return "must not hold a password; put it into a secret and name that in secretRef"
	}
	return ""
}

func hasPassword(u *url.URL) bool {
	_, set := u.User.Password()
	return set
}

// redact keeps what may be a password out of messages.
func redact(u *url.URL, s string) string {
	if u == nil {
		if _, after, found := strings.Cut(s, "@"); found {
			return "…@" + after
		}
		return s
	}
	return u.Redacted()
}

func isGitRef(s string) string {
	if s == "" || len(s) > 255 || strings.HasPrefix(s, "-") || strings.ContainsAny(s, " \t\n~^:?*[\\\x00") || strings.Contains(s, "..") {
		return fmt.Sprintf("%q is not a branch, tag or commit", say.Shorten(s))
	}
	return ""
}

// Of returns the check that a rule tag names; it says what is wrong with a text as the end of a sentence about a field, or "". A name
// that is not there is a mistake in a tag, which a test finds: nothing would be checked.
func Of(name string) func(string) string {
	if check, ok := rules()[name]; ok {
		return check
	}
	return func(string) string { return "" }
}

// Has reports whether there is such a rule.
func Has(name string) bool { return rules()[name] != nil }

// rules are the names that rule tags may use.
func rules() map[string]func(string) string {
	return map[string]func(string) string{
		"label": isLabel, "object": isObjectName, "key": isKey, "envName": isEnvName, "param": isParamName, "qualified": isQualifiedName,
		"labelValue": isLabelValue, "podKey": isPodKey, "image": isImage, "artifact": isArtifact, "inWorkspace": isInWorkspace, "file": isFile,
		"pattern": isPattern, "workingDir": isWorkingDir, "gitURL": isGitURL, "gitRef": isGitRef, "notBlank": notBlank,
		"cron": isCron, "timezone": isTimezone, "repository": isRepository, "httpURL": isHTTPURL, "receiver": isReceiver, "sha256": isSHA256,
		"mountPath": isMountPath, "urlPath": isURLPath, "output": isOutput, "value": isAxisValue, "group": isGroup,
		"quantity": isQuantity, "service": isServiceName, "volume": isVolumeName, "subPath": isSubPath,
		"suite": isSuite, "glob": isGlob, "resource": isResource,
	}
}
