package auth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Costs of a new hash: those recommended for argon2id on servers, about 30 ms. A stored hash names its own, so they may be raised.
const (
	argonMemory = 19 * 1024 // KiB
	argonTime   = 2
	argonLanes  = 1
	saltSize    = 16
	hashSize    = 32
	atOnce      = 4 // hashes computed at a time: sign-in must not take all memory
)

var errHash = errors.New("not a hash of ours")

// hasher hashes passwords, a few at a time.
type hasher struct {
	turn   chan struct{}
	memory uint32 // KiB of a new hash
}

func newHasher(memory uint32) *hasher {
	return &hasher{turn: make(chan struct{}, atOnce), memory: memory}
}

func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	salt, err := randomBytes(saltSize)
	if err != nil {
		return "", err
	}
	p := params{memory: h.memory, time: argonTime, lanes: argonLanes, salt: salt, size: hashSize}
	sum, err := h.compute(ctx, password, p)
	if err != nil {
		return "", err
	}
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.lanes,
		enc.EncodeToString(salt), enc.EncodeToString(sum)), nil
}

// verify takes as long for a hash that is empty, as of a person who does not exist, as for a real one.
func (h *hasher) verify(ctx context.Context, password, stored string) (bool, error) {
	if stored == "" {
		_, err := h.hash(ctx, password)
		return false, err
	}
	p, want, err := parseHash(stored)
	if err != nil {
		return false, err
	}
	got, err := h.compute(ctx, password, p)
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1, err
}

func (h *hasher) compute(ctx context.Context, password string, p params) ([]byte, error) {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
		return argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.lanes, p.size), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type params struct {
	memory, time uint32
	lanes        uint8
	salt         []byte
	size         uint32
}

func parseHash(stored string) (p params, sum []byte, err error) {
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.lanes); err != nil || p.time == 0 || p.lanes == 0 {
		return p, nil, errHash
	}
	if p.memory > 16*argonMemory || p.time > 16*argonTime {
		return p, nil, errHash // computing it would be an attack
	}
	if p.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return p, nil, errHash
	}
	if sum, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(sum) != hashSize {
		return p, nil, errHash
	}
	p.size = hashSize
	return p, sum, nil
}
