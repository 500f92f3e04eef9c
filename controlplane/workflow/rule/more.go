package rule

import (
	"fmt"
	"net/mail"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // so that a workflow is as valid on a machine without time zones

	"github.com/bmatcuk/doublestar/v4"

	"github.com/seatrial/seatrial/controlplane/workflow/cron"
	"github.com/seatrial/seatrial/controlplane/workflow/say"
)

var (
	reRepository = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+$`)
	reResource   = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$`)
	reSHA256     = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

func notBlank(s string) string {
	if strings.TrimSpace(s) == "" {
		return "is empty"
	}
	return ""
}

// isSuite accepts what a workflow can be named by: its name, or a value of its label.
func isSuite(s string) string {
	if s == "" {
		return "is empty"
	}
	return isLabelValue(s)
}

// isGlob accepts patterns of names.
func isGlob(s string) string {
	if s == "" || len(s) > 253 || strings.ContainsAny(s, " \t\n\x00") || !doublestar.ValidatePattern(s) {
		return fmt.Sprintf(`%q is not a pattern of names; use names, "*", "?", "[a-z]" and "{a,b}"`, say.Shorten(s))
	}
	return ""
}

// builtIn lists the resources that need no group to be named, as the agent knows them.
func builtIn() []string {
	return []string{
		"configmaps", "cronjobs", "daemonsets", "deployments", "endpoints", "events", "horizontalpodautoscalers", "ingresses", "jobs", "limitranges",
		"namespaces", "networkpolicies", "nodes", "persistentvolumeclaims", "persistentvolumes", "poddisruptionbudgets", "pods", "replicasets",
		"replicationcontrollers", "resourcequotas", "serviceaccounts", "services", "statefulsets",
	}
}

// isResource accepts what kubectl calls a kind of objects: its plural, with the group unless everybody knows it.
func isResource(s string) string {
	plural, group, grouped := strings.Cut(s, ".")
	switch {
	case plural == "secrets" && (!grouped || group == ""):
		return "names secrets, which the agent never reads"
	case !grouped:
		if !slices.Contains(builtIn(), s) {
			return fmt.Sprintf("%q is not a resource; write plural and group, such as rollouts.argoproj.io%s", say.Shorten(s), say.DidYouMean(s, builtIn()))
		}
		return ""
	}
	return matches(reResource, 253, "is not a resource such as deployments or rollouts.argoproj.io")(s)
}

func isGroup(s string) string {
	if s == "" || len(s) > 253 || strings.ContainsAny(s, "\n\x00") {
		return "must be one line of at most 253 bytes"
	}
	return ""
}

func isAxisValue(s string) string {
	if len(s) > 253 || strings.ContainsAny(s, "\n\x00") {
		return "must be one line of at most 253 bytes"
	}
	return ""
}

func isOutput(s string) string {
	return matches(reName, 128, "is not a valid name of an output: use letters, digits and underscores, not a digit first")(s)
}

func isRepository(s string) string {
	return matches(reRepository, 255, "is not a repository such as acme/shop")(s)
}

func isSHA256(s string) string { return matches(reSHA256, 64, "is not a SHA-256 in hex")(s) }

// taken lists the folders of a container that the runner has for itself.
func taken() []string {
	return []string{
		"/seatrial", "/seatrial-bin", "/var/run/seatrial", "/var/run/seatrial-plan", "/var/run/seatrial-source",
		"/run/seatrial", "/run/seatrial-plan", "/run/seatrial-source",
	}
}

func isMountPath(s string) string {
	within := func(dir string) bool { return s == dir || strings.HasPrefix(s, dir+"/") }
	switch {
	case !path.IsAbs(s) || path.Clean(s) != s || s == "/" || strings.ContainsAny(s, ":\n\x00"):
		return fmt.Sprintf("%q is not a plain absolute path", say.Shorten(s))
	case s == "/dev", within("/proc"), within("/sys"):
		return fmt.Sprintf("%q is taken by the system", s)
	case s == "/workspace" || slices.ContainsFunc(taken(), within):
		return fmt.Sprintf("%q is taken by Seatrial", s)
	}
	return ""
}

// Holds returns which folder of the runner a mount at a path would hold, "" for none.
func Holds(mountPath string) string {
	for _, dir := range append(taken(), "/workspace") {
		if strings.HasPrefix(dir, mountPath+"/") {
			return dir
		}
	}
	return ""
}

func isSubPath(s string) string {
	if s == "" || path.IsAbs(s) || strings.ContainsAny(s, "\n\x00") || slices.Contains(strings.Split(s, "/"), "..") {
		return fmt.Sprintf("%q is not a path inside of the volume", say.Shorten(s))
	}
	return ""
}

func isURLPath(s string) string {
	if !strings.HasPrefix(s, "/") || strings.ContainsAny(s, " \n\x00") {
		return fmt.Sprintf("%q is not a path such as /healthz", say.Shorten(s))
	}
	return ""
}

func isHTTPURL(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Host == "", u.Scheme != "https" && u.Scheme != "http":
		return fmt.Sprintf("%q is not an address such as https://files.example.test/tests.tgz", say.Shorten(redact(u, s)))
	case hasPassword(u):
		return "must not hold a password; put it into a secret and name that in secretRef"
	}
	return ""
}

// isReceiver allows what messages can be sent to: a server, or addresses of e-mail. It says nothing of what it does not like: it may be a
// secret that was put into the wrong place.
func isReceiver(s string) string {
	u, err := url.Parse(s)
	switch {
	case err == nil && u.Scheme == "mailto":
		if list, err := mail.ParseAddressList(u.Opaque); err != nil || len(list) > maxRecipients || u.RawQuery != "" {
			return fmt.Sprintf("is not an address such as mailto:qa@example.test, or several with commas, %d at most", maxRecipients)
		}
	case err != nil, u.Host == "", u.Scheme != "https" && u.Scheme != "http":
		return "is not an address such as https://ci.example.test/hook or mailto:qa@example.test"
	case u.User != nil:
		return "must not hold a name or a password; set the receiver's token with: seatrial webhook set NAME --token-stdin"
	}
	return ""
}

// maxRecipients is how many addresses of e-mail one receiver is.
const maxRecipients = 50

func isTimezone(s string) string {
	if _, err := time.LoadLocation(s); err != nil || s == "Local" || s == "" {
		return fmt.Sprintf("%q is not a time zone such as Europe/Berlin", say.Shorten(s))
	}
	return ""
}

// isCron checks a schedule as package cron reads it.
func isCron(s string) string {
	if _, err := cron.Parse(s, "", time.UTC); err != nil {
		return err.Error()
	}
	return ""
}
