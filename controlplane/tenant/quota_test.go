package tenant_test

import (
	"testing"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

func TestQuota_Admit(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		quota, use tenant.Quota
		runs       int
		ok         bool
		reason     string
	}{
		"NoLimit":  {tenant.Quota{}, tenant.Quota{Queued: 1e6, LogBytes: 1e12}, 1000, true, "zero means without limit"},
		"Fits":     {tenant.Quota{Queued: 10}, tenant.Quota{Queued: 7}, 3, true, "to the last place"},
		"TooMany":  {tenant.Quota{Queued: 10}, tenant.Quota{Queued: 7}, 4, false, "one too many"},
		"LogsLeft": {tenant.Quota{LogBytes: 10}, tenant.Quota{LogBytes: 9}, 1, true, "a byte is left"},
		"NoLogs":   {tenant.Quota{LogBytes: 10}, tenant.Quota{LogBytes: 10}, 1, false, "nothing is left"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := tc.quota.Admit(tc.use, tc.runs); (err == nil) != tc.ok || (err != nil && !fault.Is(err, fault.Exhausted)) {
				t.Errorf("%v: %s", err, tc.reason)
			}
		})
	}
}
