package release

import (
	"regexp"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
)

// What a release may be called: names that stand in addresses, and what version schemes and commits look like.
const (
	applicationPattern = `^[a-z0-9]([a-z0-9._/-]{0,198}[a-z0-9])?$`
	versionPattern     = `^[A-Za-z0-9]([A-Za-z0-9._+-]{0,126}[A-Za-z0-9])?$`
	commitPattern      = `^[0-9a-f]{7,64}$`
	targetPattern      = `^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`
	imagePattern       = `^(?:(.+?)[=@])?(sha256:[0-9a-f]{64})$`
)

// What a release has at most.
const (
	maxImages  = 100
	maxTargets = 100
)

// ParseImage reads an image with its digest: "shop=sha256:…", "registry.example.test/shop@sha256:…", "shop:1.42@sha256:…" or the digest
// alone.
func ParseImage(text string) (verdict.Image, error) {
	m := regexp.MustCompile(imagePattern).FindStringSubmatch(text)
	if m == nil {
		return verdict.Image{}, fault.New(fault.Invalid, "%q is no image with a digest", text).WithField("images").
			WithHint("Name it by what it is, such as shop@sha256:…, with 64 hexadecimal digits: a tag can be moved to another image.")
	}
	return verdict.Image{Name: Repository(m[1]), Digest: m[2]}, nil // a tag says nothing beside a digest
}

// Repository is the name of an image without its tag and digest.
func Repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image = image[:i]
	}
	return image
}

// CheckCommit refuses what is no commit. Commits are compared as whole texts, so a branch or another spelling would match nothing.
func CheckCommit(commit string) error {
	if commit == "" || regexp.MustCompile(commitPattern).MatchString(commit) {
		return nil
	}
	return fault.New(fault.Invalid, "%q is no commit", commit).WithField("commit").
		WithHint("Give the whole hash in lower case, as `git rev-parse HEAD` prints it, for the release and for what runs against it.")
}

// Check refuses what cannot be a release, with fault.Invalid.
func (r Request) Check() error {
	invalid := func(field, format string, args ...any) *fault.Error {
		return fault.New(fault.Invalid, format, args...).WithField(field)
	}
	switch {
	case !regexp.MustCompile(applicationPattern).MatchString(r.Application):
		return invalid("application", "%q is no name of an application", r.Application).
			WithHint("Lower-case letters, digits and ._-/ in between, such as shop or shop/checkout.")
	case !regexp.MustCompile(versionPattern).MatchString(r.Version):
		return invalid("version", "%q is no version", r.Version).WithHint("Letters, digits and ._+- in between, such as 1.42.0.")
	case CheckCommit(r.Commit) != nil:
		return CheckCommit(r.Commit)
	case r.Commit == "" && len(r.Images) == 0:
		return invalid("images", "nothing says what the release consists of").
			WithHint("Give --image NAME@sha256:… for each image of it, or at least --commit; evidence is matched by them.")
	case len(r.Targets) > maxTargets:
		return invalid("targets", "the release has %d targets, at most %d are kept", len(r.Targets), maxTargets)
	case len(r.Images) > maxImages:
		return invalid("images", "the release has %d images, at most %d are compared", len(r.Images), maxImages)
	}
	for _, target := range r.Targets {
		if !regexp.MustCompile(targetPattern).MatchString(target) {
			return invalid("targets", "%q is no name of a target", target).WithHint("Lower-case letters, digits and - in between, such as production.")
		}
	}
	seen := map[string]bool{}
	for _, image := range r.Images {
		if parsed, err := ParseImage(image.Digest); err != nil || parsed.Digest != image.Digest {
			return invalid("images", "%q is no digest of an image", image.Digest).WithHint("Digests look like sha256: with 64 hexadecimal digits.")
		}
		if seen[image.Digest] {
			return invalid("images", "the image %s is given twice", image.Digest)
		}
		seen[image.Digest] = true
	}
	return nil
}
