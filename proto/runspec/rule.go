package runspec

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Rule is what holds for a value that the control plane chooses. The zero value allows any text.
type Rule struct {
	// Param is the parameter whose value it is, for people; empty when it is made up of several things.
	Param string `json:"param,omitempty"`
	// Type of the parameter: string, integer, number or boolean; empty for string.
	Type string `json:"type,omitempty"`
	// Enum are the texts that are allowed; none means all.
	Enum []string `json:"enum,omitempty"`
	// Minimum and Maximum bound a number.
	Minimum *float64 `json:"minimum,omitempty"`
	Maximum *float64 `json:"maximum,omitempty"`
	// Pattern is a regular expression (RE2) that matches somewhere in the text.
	Pattern string `json:"pattern,omitempty"`
	// Optional allows the text that stands for a value that nobody gave: "", 0 or false.
	Optional bool `json:"optional,omitempty"`
}

// wrong says why a text is none that the rule allows, "" when it is one.
func (r Rule) wrong(text string) string {
	if r.Optional && text == map[string]string{"integer": "0", "number": "0", "boolean": "false"}[r.Type] {
		return ""
	}
	if wrong := r.wrongType(text); wrong != "" {
		return wrong
	}
	if len(r.Enum) > 0 && !slices.Contains(r.Enum, text) {
		return "must be one of " + strings.Join(r.Enum, ", ")
	}
	if r.Pattern != "" {
		if re, err := regexp.Compile(r.Pattern); err != nil || !re.MatchString(text) {
			return fmt.Sprintf("must match %q", r.Pattern)
		}
	}
	return ""
}

func (r Rule) wrongType(text string) string {
	switch r.Type {
	case "", "string":
		return ""
	case "boolean":
		if text != "true" && text != "false" {
			return "must be true or false"
		}
		return ""
	case "integer":
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return "must be a whole number"
		}
	case "number":
	default:
		return fmt.Sprintf("has a type that is not known here: %.20q", r.Type)
	}
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return "must be a number"
	case r.Minimum != nil && n < *r.Minimum:
		return fmt.Sprintf("must be at least %g", *r.Minimum)
	case r.Maximum != nil && n > *r.Maximum:
		return fmt.Sprintf("must be at most %g", *r.Maximum)
	case math.IsNaN(n):
		return "must be a number"
	}
	return ""
}

// Powerful reports whether a variable of that name changes what a program is or loads, so that whoever chooses its value runs what
// they like. Its value is never open.
func Powerful(name string) bool {
	name = strings.ToUpper(name)
	for _, prefix := range []string{"LD_", "DYLD_", "GIT_", "PYTHON", "PERL", "RUBY", "NODE_", "NPM_CONFIG_", "BUN_", "DENO_", "MAVEN_", "GRADLE_", "SEATRIAL_", "BASH_FUNC_", "DOTNET_", "CORECLR_", "COR_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"PATH", "HOME", "ENV", "BASH_ENV", "BASHOPTS", "SHELL", "SHELLOPTS", "IFS", "PS4", "PROMPT_COMMAND", "CDPATH", "GLOBIGNORE", "TMPDIR",
		"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_HOME", "JAVA_OPTS", "CLASSPATH", "MVN_CONFIG",
		"GOFLAGS", "GOPROXY", "GOROOT", "GOPATH", "GOENV", "GOTOOLCHAIN", "CC", "CXX", "CFLAGS", "LDFLAGS", "MAKEFLAGS", "RUSTC_WRAPPER", "RUSTFLAGS", "CARGO_HOME",
		"PHPRC", "PHP_INI_SCAN_DIR", "LUA_INIT", "LUA_PATH", "LUA_CPATH", "GEM_HOME", "GEM_PATH", "BUNDLE_GEMFILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE", "UV_INDEX_URL",
		"EDITOR", "VISUAL", "PAGER", "LESSOPEN", "LESSCLOSE", "BROWSER", "SSH_ASKPASS", "OPENSSL_CONF", "OPENSSL_MODULES", "SSL_CERT_FILE", "SSL_CERT_DIR", "GCONV_PATH", "NLSPATH", "LOCPATH",
		"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "XDG_CONFIG_HOME", "KUBECONFIG", "DOCKER_HOST",
	}, name)
}
