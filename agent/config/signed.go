package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seatrial/seatrial/proto/runspec"
)

// signed reads what has to be signed. Half of it would demand nothing, which nobody means who has given that half.
func (r *reader) signed(into *runspec.Policy, keys, file, after string) {
	fail := func(name string, err error) { r.faults = append(r.faults, fmt.Errorf("%s: %w", envName(name), err)) }
	var err error
	if strings.TrimSpace(keys) != "" || file != "" {
		if into.Keys, err = runspec.ParseKeys(keys); err != nil {
			fail("verify-keys", err)
		}
		if into.Organization == "" {
			fail("verify-organization", errors.New("is not set: name the organization of the cluster, as signatures name it"))
		}
	} else if into.Organization != "" || after != "" {
		fail("verify-keys", errors.New("is not set, so that nothing would have to be signed: give the keys, or leave out the other settings"))
	}
	if after == "" {
		return
	}
	if into.After, err = time.Parse(time.RFC3339, after); err != nil {
		fail("verify-signed-after", fmt.Errorf("%q is no time such as 2026-01-31T00:00:00Z", after)) //nolint:err113 // for people alone
	}
}
