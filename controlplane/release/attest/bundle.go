package attest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest/canonical"
	"github.com/seatrial/seatrial/controlplane/release/attest/key"
)

// BundleFormat is the format of a bundle's file.
//
// The file is JSON Lines, each line ending in "\n". The first is the header, in canonical JSON; each other line is a DSSE envelope.
// The header lists the SHA-256 of every other line in order and is signed, so a line cannot be changed, dropped, added or moved. A
// checksum over the header itself, signatures and hints included, lets somebody without keys see that the file is whole.
//
// It is also a bundle as in-toto has it: readers of those ignore lines that they do not know.
const BundleFormat = "https://seatrial.dev/bundles/v1"

// headerType is what the signatures of a header are over, by PAE: another type than that of envelopes, so that neither passes for
// the other.
const headerType = "application/vnd.seatrial.bundle-header+json"

// Limits of a bundle.
const (
	MaxLine      = 16 << 20 // bytes of a line, and of an envelope anywhere
	MaxBundle    = 64 << 20 // bytes of the file
	MaxEnvelopes = 4_096
)

// Bundle is all envelopes of one release with the header that keeps them together. Read makes one.
type Bundle struct {
	envelopes []Envelope
	header    header
}

// Envelopes returns the envelopes, in the order of the file. Nothing about them is verified.
func (b Bundle) Envelopes() []Envelope { return slices.Clone(b.envelopes) }

// Subject returns what the release consists of: its images and its commit, as they were signed.
func (v Verified) Subject() []Resource { return slices.Clone(v.subject) }

// Verified is what a bundle says, by the signatures of trusted keys.
type Verified struct {
	CreatedAt  time.Time    // of the bundle
	Statements []Statement  // in the order of the file
	Keys       []key.Public // whose signatures were relied upon, each once
	// Readiness is the predicate on the release. Its Input and Output are the bytes as they were signed.
	Readiness Readiness

	digests []string // of the bytes of each statement
	subject []Resource
}

// header is the first line of a bundle.
type header struct {
	manifest
	Signatures []wireSignature `json:"signatures"`
	Checksum   string          `json:"checksum"` // SHA-256 of the header in canonical form with an empty checksum
}

// manifest is the part of a header that is signed.
type manifest struct {
	Format    string    `json:"format"`
	CreatedAt time.Time `json:"createdAt"`
	Count     int       `json:"count"`
	Lines     []string  `json:"lines"` // SHA-256 of each line, without its end
}

// Write writes a bundle of envelopes, in their order, whose header the keys sign at a time. One that Read would not take is
// Exhausted.
func Write(w io.Writer, at time.Time, envelopes []Envelope, keys ...key.Private) error {
	if err := fits(envelopes); err != nil {
		return err
	}
	var body bytes.Buffer
	m := manifest{Format: BundleFormat, CreatedAt: at.UTC(), Count: len(envelopes), Lines: []string{}}
	for i, e := range envelopes {
		line, err := canonical.JSON(e)
		if err != nil {
			return err
		}
		if len(line) > MaxLine {
			return tooLong(i+2, len(line))
		}
		m.Lines = append(m.Lines, Digest(line))
		body.Write(line)
		body.WriteByte('\n')
	}
	first, err := m.sign(keys)
	if err != nil {
		return err
	}
	if size := len(first) + 1 + body.Len(); size > MaxBundle {
		return tooLarge(size)
	}
	if _, err := io.Copy(w, io.MultiReader(bytes.NewReader(append(first, '\n')), &body)); err != nil {
		return fault.Wrap(fault.Unavailable, err, "write bundle")
	}
	return nil
}

// fits refuses what is far too large before any work goes into it.
func fits(envelopes []Envelope) error {
	if len(envelopes) > MaxEnvelopes {
		return fault.New(fault.Exhausted, "%d statements in a bundle: at most %d are read", len(envelopes), MaxEnvelopes)
	}
	total := 0
	for i, e := range envelopes {
		size := base64.StdEncoding.EncodedLen(len(e.Payload))
		if size > MaxLine {
			return tooLong(i+2, size)
		}
		total += size
	}
	if total > MaxBundle {
		return tooLarge(total)
	}
	return nil
}

func tooLarge(size int) error {
	return fault.New(fault.Exhausted, "a bundle of %d bytes: at most %d are read", size, MaxBundle)
}

// Read reads a bundle and checks that it is whole: that no byte of it was changed, dropped or moved since it was written. Who wrote
// it is for Verify. A bundle that is not whole is Invalid, one that is too large Exhausted; the message names the line.
func Read(r io.Reader) (Bundle, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxBundle+1))
	if err != nil {
		return Bundle{}, fault.Wrap(fault.Unavailable, err, "read bundle")
	}
	if len(data) > MaxBundle {
		return Bundle{}, fault.New(fault.Exhausted, "the bundle is longer than %d bytes", MaxBundle)
	}
	body, ended := bytes.CutSuffix(data, []byte("\n"))
	if !ended {
		return Bundle{}, fault.New(fault.Invalid, "the bundle ends within a line: it was cut off")
	}
	lines := bytes.Split(body, []byte("\n"))
	for i, line := range lines {
		if len(line) > MaxLine {
			return Bundle{}, tooLong(i+1, len(line))
		}
	}
	h, err := readHeader(lines[0])
	if err != nil {
		return Bundle{}, err
	}
	envelopes, err := h.read(lines[1:])
	if err != nil {
		return Bundle{}, err
	}
	return Bundle{envelopes: envelopes, header: h}, nil
}

func tooLong(line, size int) error {
	return fault.New(fault.Exhausted, "line %d has %d bytes: at most %d are read", line, size, MaxLine)
}

// Verify says what a bundle states, when all of it is signed by keys of the ring that were in use: the header, and every envelope.
// Otherwise it is Invalid, as is a bundle that does not have exactly one readiness statement.
func (b Bundle) Verify(ring key.Ring) (Verified, error) {
	v, err := b.open(ring)
	if err != nil {
		return Verified{}, err
	}
	if err := v.findReadiness(); err != nil {
		return Verified{}, err
	}
	return v, nil
}

func (b Bundle) open(ring key.Ring) (Verified, error) {
	keys, err := b.header.verify(ring)
	if err != nil {
		return Verified{}, inLine(1, err)
	}
	v := Verified{CreatedAt: b.header.CreatedAt, Keys: keys}
	for i, e := range b.envelopes {
		s, keys, err := Open(e, ring)
		if err != nil {
			return Verified{}, inLine(i+2, err)
		}
		v.Statements = append(v.Statements, s)
		v.digests = append(v.digests, Digest(e.Payload))
		for _, k := range keys {
			if !slices.ContainsFunc(v.Keys, func(other key.Public) bool { return other.ID() == k.ID() }) {
				v.Keys = append(v.Keys, k)
			}
		}
	}
	return v, nil
}

// findReadiness fills in what the one statement on the release says.
func (v *Verified) findReadiness() error {
	found := 0
	for _, s := range v.Statements {
		if s.PredicateType != ReadinessType {
			continue
		}
		r, err := s.Readiness()
		if err != nil {
			return err
		}
		found++
		v.Readiness, v.subject = r, s.Subject
	}
	if found != 1 {
		return fault.New(fault.Invalid, "the bundle has %d statements on the readiness of a release, not one", found)
	}
	return nil
}

// inLine puts the line before the message of a fault, and keeps its hint.
func inLine(line int, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return fault.Wrap(fault.Invalid, err, fmt.Sprintf("line %d", line))
	}
	c := *f
	c.Message = fmt.Sprintf("line %d: %s", line, f.Message)
	return &c
}

// sign returns the first line of a bundle, without its end.
func (m manifest) sign(keys []key.Private) ([]byte, error) {
	text, err := canonical.JSON(m)
	if err != nil {
		return nil, err
	}
	signatures, err := sign(PAE(headerType, text), keys)
	if err != nil {
		return nil, err
	}
	h := header{manifest: m, Signatures: toWire(signatures)}
	if h.Checksum, err = h.sum(); err != nil {
		return nil, err
	}
	line, err := canonical.JSON(h)
	if err == nil && len(line) > MaxLine {
		err = tooLong(1, len(line))
	}
	return line, err
}

func (h header) sum() (string, error) {
	h.Checksum = ""
	text, err := canonical.JSON(h)
	return Digest(text), err
}

// readHeader accepts a header only in the very bytes that Write gives it, so that there is one text of a header and no second
// reading of it.
func readHeader(line []byte) (header, error) {
	var h header
	if err := decode(line, &h, "header of the bundle"); err != nil {
		return header{}, err
	}
	if h.Format != BundleFormat {
		return header{}, fault.New(fault.Invalid, "the bundle has the format %.100q, not %s", h.Format, BundleFormat).WithField("format")
	}
	sum, err := h.sum()
	if err != nil {
		return header{}, err
	}
	text, err := canonical.JSON(h)
	if err != nil {
		return header{}, err
	}
	if sum != h.Checksum || !bytes.Equal(text, line) {
		return header{}, fault.New(fault.Invalid, "line 1 was changed: it is not what its checksum was taken of")
	}
	if h.Count != len(h.Lines) || h.Count > MaxEnvelopes {
		return header{}, fault.New(fault.Invalid, "the header counts %d statements and lists %d: at most %d are read", h.Count, len(h.Lines), MaxEnvelopes)
	}
	return h, nil
}

// read returns the envelopes of lines that are those of the header.
func (h header) read(lines [][]byte) ([]Envelope, error) {
	if len(lines) != h.Count {
		return nil, fault.New(fault.Invalid, "the header is of %d statements, and %d lines follow it", h.Count, len(lines))
	}
	envelopes := make([]Envelope, len(lines))
	for i, line := range lines {
		if Digest(line) != h.Lines[i] {
			return nil, fault.New(fault.Invalid, "line %d was changed, or lines were moved: it is not what the header lists", i+2)
		}
		var err error
		if envelopes[i], err = ParseEnvelope(line); err != nil {
			return nil, inLine(i+2, err)
		}
	}
	return envelopes, nil
}

// verify returns the keys in use that signed the header.
func (h header) verify(ring key.Ring) ([]key.Public, error) {
	text, err := canonical.JSON(h.manifest)
	if err != nil {
		return nil, err
	}
	signatures, err := fromWire(h.Signatures)
	if err != nil {
		return nil, err
	}
	keys, err := verify(PAE(headerType, text), signatures, ring)
	if err != nil {
		return nil, err
	}
	return key.InUse(keys, h.CreatedAt)
}
