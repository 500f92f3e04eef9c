package app_test

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// sshServer serves repositories by SSH to one key.
type sshServer struct {
	addr    string
	host    ssh.PublicKey
	private string // the client's
}

func newKey(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return signer, string(pem.EncodeToMemory(block))
}

func newSSHServer(t *testing.T, dir string) sshServer {
	t.Helper()
	host, _ := newKey(t)
	client, private := newKey(t)
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if !bytes.Equal(key.Marshal(), client.PublicKey().Marshal()) {
			return nil, errors.New("unknown key")
		}
		return &ssh.Permissions{}, nil
	}}
	config.AddHostKey(host)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { _ = l.Close() })
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serveSSH(conn, config, dir) })
		}
	})
	return sshServer{addr: l.Addr().String(), host: host.PublicKey(), private: private}
}

func serveSSH(conn net.Conn, config *ssh.ServerConfig, dir string) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		ch, requests, err := c.Accept()
		if err != nil {
			return
		}
		for r := range requests {
			if r.Type != "exec" {
				_ = r.Reply(r.Type == "env", nil)
				continue
			}
			_ = r.Reply(true, nil)
			var payload struct{ Command string }
			_ = ssh.Unmarshal(r.Payload, &payload)
			cmd := exec.Command("sh", "-c", payload.Command)
			cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, ch, ch, ch.Stderr()
			cmd.Env = []string{"PATH=/usr/bin:/bin", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}
			status := struct{ Code uint32 }{}
			if cmd.Run() != nil {
				status.Code = 1
			}
			_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(status))
			_ = ch.Close()
		}
	}
}

func TestMain_SSH(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	s := newSSHServer(t, r.root)
	url := "ssh://git@" + s.addr + r.dir + "/.git"
	_, other := newKey(t)
	stranger, _ := newKey(t)
	known := knownhosts.Line([]string{s.addr}, s.host)
	for name, tc := range map[string]struct {
		reason string
		env    map[string]string
		code   int
		says   string
	}{
		"Known":    {"the host's key is the one in known_hosts", map[string]string{"SSH_PRIVATEKEY": s.private, "KNOWN_HOSTS": known}, 0, "last commit"},
		"NoKnown":  {"with nothing to check against, the key is shown", map[string]string{"SSH_PRIVATEKEY": s.private}, 0, ssh.FingerprintSHA256(s.host)},
		"Stranger": {"another key than the known one", map[string]string{"SSH_PRIVATEKEY": s.private, "KNOWN_HOSTS": knownhosts.Line([]string{s.addr}, stranger.PublicKey())}, 1, "is not the one in known_hosts"},
		"Unlisted": {"a host that known_hosts lacks", map[string]string{"SSH_PRIVATEKEY": s.private, "KNOWN_HOSTS": knownhosts.Line([]string{"git.example.test"}, s.host)}, 1, "is not in known_hosts"},
		"Refused":  {"a key the server does not know", map[string]string{"SSH_PRIVATEKEY": other, "KNOWN_HOSTS": known}, 1, "refused the credentials"},
		"NotAKey":  {"a broken secret is not quoted", map[string]string{"SSH_PRIVATEKEY": "not-a-key-at-all", "KNOWN_HOSTS": known}, 1, "is not a private key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{}
			for k, v := range tc.env {
				env["SEATRIAL_GIT_"+k] = v
			}
			got := source(t, env, "git", "--url="+url)
			if got.code != tc.code || !strings.Contains(got.out+got.err, tc.says) {
				t.Errorf("%s: exit %d, want %d and %q:\n%s%s", tc.reason, got.code, tc.code, tc.says, got.out, got.err)
			}
			if strings.Contains(got.out+got.err, "not-a-key-at-all") {
				t.Errorf("the output quotes the key: %s", got.err)
			}
		})
	}
}

// TestMain_Daemon fetches from git's own daemon.
func TestMain_Daemon(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	r.must(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	r.must(t, err)
	r.must(t, l.Close())
	cmd := exec.Command("git", "-c", "safe.directory=*", "daemon", "--verbose", "--log-destination=stderr", "--export-all", "--reuseaddr",
		"--listen=127.0.0.1", "--port="+port, "--base-path="+r.root)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}
	log, err := cmd.StderrPipe()
	r.must(t, err)
	r.must(t, cmd.Start())
	ready := make(chan string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		line, _ := bufio.NewReader(log).ReadString('\n')
		ready <- line
		_, _ = io.Copy(io.Discard, log)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		<-done
	})
	select {
	case line := <-ready:
		if !strings.Contains(line, "Ready") {
			t.Fatalf("git daemon: %s", line)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("git daemon did not start")
	}
	url := "git://127.0.0.1:" + port + "/shop.git/.git"
	if got := source(t, nil, "git", "--url="+url).ok(t).files(t)["README.md"]; got != "main\n" {
		t.Errorf("README.md is %q", got)
	}
	if got := source(t, nil, "git", "--url="+url, "--ref=absent"); got.code != 1 || !strings.Contains(got.err, `"absent" is no branch`) {
		t.Errorf("exit %d: %s", got.code, got.err)
	}
}
