package certs

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// lookEvery bounds how often the files of a certificate are looked at.
const lookEvery = 10 * time.Second

// Files is a certificate in files that somebody renews. What is new is served without a restart; when it cannot be read, such as half
// way through a renewal, the one before is served on.
type Files struct {
	cert, key string
	now       func() time.Time
	log       *slog.Logger

	mu     sync.Mutex
	pair   *tls.Certificate
	stamp  [2]time.Time
	looked time.Time
}

// OpenFiles reads a certificate and its key in PEM.
func OpenFiles(cert, key string, now func() time.Time, log *slog.Logger) (*Files, error) {
	f := &Files{cert: cert, key: key, now: now, log: log}
	stamp, err := f.stat()
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	f.pair, f.stamp, f.looked = &pair, stamp, now()
	return f, nil
}

// TLS returns how a port proves who it is by the certificate.
func (f *Files) TLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: f.current}
}

func (f *Files) stat() (stamp [2]time.Time, err error) {
	for i, name := range []string{f.cert, f.key} {
		info, err := os.Stat(name)
		if err != nil {
			return stamp, fmt.Errorf("look at the certificate: %w", err)
		}
		stamp[i] = info.ModTime()
	}
	return stamp, nil
}

func (f *Files) current(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.now(); now.Sub(f.looked) >= lookEvery {
		f.looked = now
		f.renew(hello)
	}
	return f.pair, nil
}

// renew reads the files again when they have changed. A failure is tried again at the next look.
func (f *Files) renew(hello *tls.ClientHelloInfo) {
	stamp, err := f.stat()
	if err == nil && stamp == f.stamp {
		return
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(f.cert, f.key)
	}
	if err != nil {
		f.log.WarnContext(hello.Context(), "the new certificate cannot be read; the one before is served on", "file", f.cert, "error", err)
		return
	}
	f.pair, f.stamp = &pair, stamp
	f.log.InfoContext(hello.Context(), "serving a renewed certificate", "file", f.cert)
}
