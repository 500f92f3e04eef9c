package testkube

import (
	"regexp"
	"strings"
)

var (
	reTemplate = regexp.MustCompile(`(?s)(\$?)\{\{(.*?)\}\}`)
	reString   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'`)
	reService  = regexp.MustCompile(`\bservices\.[A-Za-z0-9_-]+\.(?:\d+\.)?ip\b`)
	reStatus   = regexp.MustCompile(`\b(always|passed|failed|cancelled)\b(\s*\(\s*\))?`)
)

// template converts the expressions of a text: {{ config.x }} becomes ${{ params.x }}.
func (c *converter) template(at value) string { return convertText(c.scalar(at)) }

func (c *converter) templates(at value) []string {
	all := c.texts(at)
	for i := range all {
		all[i] = convertText(all[i])
	}
	return all
}

func convertText(text string) string {
	return reTemplate.ReplaceAllStringFunc(text, func(found string) string {
		m := reTemplate.FindStringSubmatch(found)
		before := ""
		if m[1] == "$" { // a dollar in front would make ours an escape
			before = `${{ "$" }}`
		}
		if reService.FindString(m[2]) == strings.TrimSpace(m[2]) && before == "" {
			return "127.0.0.1" // services are in the pod of the steps
		}
		return before + "${{ " + strings.TrimSpace(convertExpression(m[2])) + " }}"
	})
}

// convertExpression renames what is called otherwise in ours. What has no name in ours stays, and the parser names it.
func convertExpression(text string) string {
	return outsideStrings(text, func(s string) string {
		s = reService.ReplaceAllString(s, `"127.0.0.1"`)
		for _, word := range [][2]string{
			{`\bconfig\.`, "params."}, {`\btojson\(`, "toJSON("}, {`\bjson\(`, "fromJSON("}, {`\bfloat\(`, "double("}, {`\blen\(`, "size("},
		} {
			s = regexp.MustCompile(word[0]).ReplaceAllString(s, word[1])
		}
		return s
	})
}

// convertCondition also turns the words for a status into calls.
func convertCondition(text string) string {
	text = strings.TrimSpace(text)
	if m := reTemplate.FindStringSubmatch(text); m != nil && m[0] == text {
		text = strings.TrimSpace(m[2])
	}
	return outsideStrings(convertExpression(text), func(s string) string {
		s = regexp.MustCompile(`\bnever\b`).ReplaceAllString(s, "false")
		return reStatus.ReplaceAllString(s, "$1()")
	})
}

// outsideStrings applies a change to everything but the string literals.
func outsideStrings(text string, change func(string) string) string {
	var b strings.Builder
	last := 0
	for _, at := range reString.FindAllStringIndex(text, -1) {
		b.WriteString(change(text[last:at[0]]))
		b.WriteString(text[at[0]:at[1]])
		last = at[1]
	}
	b.WriteString(change(text[last:]))
	return b.String()
}

// workspace turns a path of theirs into one of ours: their repository and data folder are our workspace.
func workspace(path string) string {
	for _, prefix := range []string{"/data/repo", "/data"} {
		if path == prefix || path == prefix+"/" {
			return "."
		}
		if rest, ok := strings.CutPrefix(path, prefix+"/"); ok {
			return rest
		}
	}
	return path
}

var reName = regexp.MustCompile(`[^a-z0-9-]+`)

// nameOf turns a free text into a name of a step.
func nameOf(text string) string {
	name := strings.Trim(reName.ReplaceAllString(strings.ToLower(text), "-"), "-")
	if len(name) > 50 {
		name = strings.Trim(name[:50], "-")
	}
	return name
}
