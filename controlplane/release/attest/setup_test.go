package attest_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/release/attest"
	"github.com/seatrial/seatrial/controlplane/release/attest/key"
)

var update = flag.Bool("update", false, "write the golden files")

// The secret keys of tests 1 and 2 of RFC 8032.
const (
	seed1 = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
	seed2 = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
)

const verifier = "https://seatrial.example.com/verifiers/release/v1"

func day(n int) time.Time { return time.Date(2026, 10, n, 12, 0, 0, 0, time.UTC) }

func private(tb testing.TB, seed string) key.Private {
	tb.Helper()
	raw, err := hex.DecodeString(seed)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(raw))
	if err != nil {
		tb.Fatal(err)
	}
	k, err := key.ParsePrivate(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func ring(tb testing.TB, keys ...key.Public) key.Ring {
	tb.Helper()
	r, err := key.NewRing(keys...)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// trusted is a ring of one key, which is in use from the first day on.
func trusted(tb testing.TB) key.Ring {
	tb.Helper()
	k := private(tb, seed1).Public()
	k.NotBefore = day(1)
	return ring(tb, k)
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	file = filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", file, diff)
	}
}

// sum is the digest of some content that does not matter.
func sum(of string) string { return attest.Digest([]byte(of)) }

func named(name string) attest.Resource {
	return attest.Resource{Name: name, Digest: map[string]string{attest.SHA256: sum(name)}}
}

func image(tb testing.TB, name, content string) attest.Resource {
	tb.Helper()
	r, err := attest.Image(name, "sha256:"+sum(content))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func commit(tb testing.TB, letter string) attest.Resource {
	tb.Helper()
	r, err := attest.Commit("https://git.example.com/shop", strings.Repeat(letter, 40))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// subject is what the release of the tests consists of: an image of two digests, another, and a commit.
func subject(tb testing.TB) []attest.Resource {
	tb.Helper()
	return []attest.Resource{
		image(tb, "shop/web", "web index"), image(tb, "shop/web", "web amd64"), image(tb, "shop/api", "api index"), commit(tb, "a"),
	}
}

func smoke() attest.TestRun {
	return attest.TestRun{
		Executions: []string{"e-1"}, Suite: "smoke", Environment: "staging-eu", TimeCreated: day(2), URL: "https://seatrial.example.com/executions/e-1",
		Definitions: []attest.Resource{named("shop-smoke")}, Passed: []string{"pays by card", "logs in"}, Warned: []string{"searches <fast> & right"},
	}
}

func readiness(verdict attest.Verdict) attest.Readiness {
	r := attest.Readiness{
		TimeCreated: day(3), Release: attest.Release{Application: "shop/web", Version: "1.4.0"}, Policy: named("prod-gate v7"),
		Input: input(`{"suite": "smoke", "required": 3}`), Output: output(verdict, "policy"),
	}
	if verdict == attest.ReadyWithWaivers {
		r.Waivers = []attest.Waiver{{
			ID: "w-1", Rule: "no-unwaived-failures", Test: "searches <fast> & right", Fingerprint: "fp1:649b72b52e25e7c0", Reason: "search is slow in staging",
			Requester: "ann@example.com", Approvers: []string{"bob@example.com"}, CreatedAt: day(2), ExpiresAt: day(5),
		}}
	}
	return r
}

// input is that of the tests' release.
func input(cell string) []byte {
	return fmt.Appendf(nil, `{"now": "2026-10-03T12:00:00Z", "cells": [%s], "policy": {"digest": %q}, "release": {"application": "shop/web",
		"version": "1.4.0", "commit": %q, "images": [{"digest": "sha256:%s"}, {"digest": "sha256:%s"}, {"digest": "sha256:%s"}]}}`,
		cell, sum("prod-gate v7"), strings.Repeat("a", 40), sum("web index"), sum("web amd64"), sum("api index"))
}

func output(verdict attest.Verdict, why string) []byte {
	return fmt.Appendf(nil, `{"state": %q, "reasons": [%q]}`, verdict, why)
}

func signed(tb testing.TB, s attest.Statement, keys ...key.Private) attest.Envelope {
	tb.Helper()
	payload, err := s.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	if len(keys) == 0 {
		keys = []key.Private{private(tb, seed1)}
	}
	e, err := attest.Sign(payload, keys...)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// made returns a statement that a constructor was able to make.
func made(tb testing.TB) func(attest.Statement, error) attest.Statement {
	tb.Helper()
	return func(s attest.Statement, err error) attest.Statement {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return s
	}
}

// envelopes are those of a small release that is ready with waivers: a test result, the readiness and the verification result.
func envelopes(tb testing.TB) []attest.Envelope {
	tb.Helper()
	result := signed(tb, made(tb)(attest.NewTestResult(subject(tb), smoke())))
	evidence, err := attest.Evidence(result)
	if err != nil {
		tb.Fatal(err)
	}
	r := readiness(attest.ReadyWithWaivers)
	r.Evidence = []attest.Resource{evidence}
	verdict := made(tb)(attest.NewReadiness(subject(tb), r))
	return []attest.Envelope{result, signed(tb, verdict), signed(tb, made(tb)(attest.NewSVR(verdict, verifier)))}
}

func write(tb testing.TB, all []attest.Envelope, keys ...key.Private) []byte {
	tb.Helper()
	if len(keys) == 0 {
		keys = []key.Private{private(tb, seed1)}
	}
	var b bytes.Buffer
	if err := attest.Write(&b, day(3), all, keys...); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func read(tb testing.TB, file []byte) attest.Bundle {
	tb.Helper()
	b, err := attest.Read(bytes.NewReader(file))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
