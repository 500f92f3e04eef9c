package collect_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"connectrpc.com/connect"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

func (b *bundle) upload(t *testing.T, token string, h *runnerv1.FileHeader, body []byte) (*runnerv1.UploadResponse, error) {
	t.Helper()
	w, err := b.client.Upload(call(t, token))
	if err != nil {
		t.Fatal(err)
	}
	err = w.Send(&runnerv1.UploadRequest{Message: &runnerv1.UploadRequest_Header{Header: h}})
	for len(body) > 0 && err == nil {
		n := min(len(body), 200<<10)
		err = w.Send(&runnerv1.UploadRequest{Message: &runnerv1.UploadRequest_Data{Data: body[:n]}})
		body = body[n:]
	}
	return w.CloseAndReceive()
}

func TestServer_Upload(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, body := range [][]byte{nil, bytes.Repeat([]byte("0123456789"), 100_000)} {
		sum := sha256.Sum256(body)
		h := &runnerv1.FileHeader{AttemptId: "a", Path: "r.xml", Size: int64(len(body)), Sha256: sum[:]}
		r, err := b.upload(t, "good", h, body)
		if err != nil || r.GetSize() != int64(len(body)) {
			t.Fatalf("got %v, %v for %d bytes", r, err, len(body))
		}
	}
	files := b.uplink.Files()
	if len(files) != 2 || len(files[1].Body) != 1_000_000 || files[1].Header.GetPath() != "r.xml" {
		t.Errorf("%d files stored", len(files))
	}
	if err := b.uplink.Fault(); err != nil {
		t.Error(err)
	}
}

func TestServer_Upload_Err(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.uplink.Refuse("full.xml", "the quota is used up")
	for name, tc := range map[string]struct {
		token  string
		header *runnerv1.FileHeader
		body   string
		want   connect.Code
		reason string
	}{
		"NoToken":  {"", &runnerv1.FileHeader{AttemptId: "a"}, "", connect.CodeUnauthenticated, "nobody comes in without a token"},
		"Foreign":  {"other", &runnerv1.FileHeader{AttemptId: "a"}, "", connect.CodePermissionDenied, "a pod may not speak for another"},
		"Longer":   {"good", &runnerv1.FileHeader{AttemptId: "a", Size: 2}, "abc", connect.CodeInvalidArgument, "trying again changes nothing"},
		"Shorter":  {"good", &runnerv1.FileHeader{AttemptId: "a", Size: 4}, "abc", connect.CodeUnavailable, "the runner has been cut off"},
		"Negative": {"good", &runnerv1.FileHeader{AttemptId: "a", Size: -4}, "", connect.CodeInvalidArgument, "no file is like that"},
		"Refused":  {"good", &runnerv1.FileHeader{AttemptId: "a", Path: "full.xml", Size: 3}, "abc", connect.CodeFailedPrecondition, "for good"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := b.upload(t, tc.token, tc.header, []byte(tc.body))
			if connect.CodeOf(err) != tc.want {
				t.Errorf("got %v, want %v: %s", err, tc.want, tc.reason)
			}
		})
	}
	t.Cleanup(func() {
		if files := b.uplink.Files(); len(files) != 0 {
			t.Errorf("%d files stored", len(files))
		}
	})
}
