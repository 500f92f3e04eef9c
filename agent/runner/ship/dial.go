package ship

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/seatrial/seatrial/agent/runner/pin"
	"github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1/runnerv1connect"
)

// A link that is half open is noticed within pingAfter + pingFor.
const (
	dialFor   = 5 * time.Second
	pingAfter = 5 * time.Second
	pingFor   = 5 * time.Second
	writeFor  = 15 * time.Second

	maxMessage = 1 << 20
)

var errPin = errors.New("the agent's certificate is not the one this pod was made for")

// dialer opens a connection.
type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// newClient returns a client of the agent at addr whose certificate must hold the public key with the hex SHA-256 pin.
// A nil dial is that of the network.
func newClient(addr, want string, dial dialer) (runnerv1connect.RunnerServiceClient, *http.Transport, error) {
	if raw, err := hex.DecodeString(want); err != nil || len(raw) != sha256.Size {
		return nil, nil, fmt.Errorf("pin %q is not a hex SHA-256", want)
	}
	verify := func(s tls.ConnectionState) error {
		if pin.Of(s.PeerCertificates[0]) != strings.ToLower(want) {
			return errPin
		}
		return nil
	}
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialFor}).DialContext
	}
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	t := &http.Transport{
		DialContext: dial,
		//nolint:gosec // G402: the certificate is checked by its key, whatever name and issuer it bears
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true, VerifyConnection: verify},
		TLSHandshakeTimeout: dialFor,
		Protocols:           &protocols,
		DisableCompression:  true,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: pingAfter, PingTimeout: pingFor, WriteByteTimeout: writeFor,
		},
	}
	// Log chunks are compressed already.
	client := runnerv1connect.NewRunnerServiceClient(&http.Client{Transport: t}, "https://"+addr,
		connect.WithAcceptCompression("gzip", nil, nil), connect.WithReadMaxBytes(maxMessage))
	return client, t, nil
}

// bearer reads the token anew: Kubernetes rotates it.
func bearer(file string) (string, error) {
	b, err := os.ReadFile(file) //nolint:gosec // G304: the path is fixed by the pod's shape
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	return "Bearer " + strings.TrimSpace(string(b)), nil
}
