package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const (
	codePeriod    = 30 * time.Second // what every authenticator app assumes
	codeSkew      = 1                // periods that a phone's clock may be wrong by
	recoveryCodes = 10
	recoveryBytes = 10 // 16 characters
	product       = "Seatrial"
)

// checkCode returns fault.Unauthenticated unless the code is the member's, for the first time.
func (a *Auth) checkCode(ctx context.Context, m tenant.Member, code string) error {
	code = strings.ToLower(strings.NewReplacer(" ", "", "-", "").Replace(code))
	if code == "" {
		return fault.New(fault.Unauthenticated, "a code of your authenticator app is needed").WithField(codeField).
			WithHint("Give the six digits that it shows, or one of your recovery codes.")
	}
	giveBack, ok := a.limit.allow("code:" + m.ID.String())
	if !ok {
		return fault.New(fault.Exhausted, "too many codes were tried").WithField(codeField).WithHint("Wait a minute, then try again.")
	}
	wrong := fault.New(fault.Unauthenticated, "the code is wrong").WithField(codeField).
		WithHint("Wait for the next one, check that the clock of the phone is right, or use a recovery code.")
	good, err := a.spendCode(ctx, m, code)
	switch {
	case err != nil:
		return err
	case !good:
		return wrong
	}
	giveBack()
	return nil
}

// spendCode uses up a code: no code is good twice, so that one that was watched is worth nothing.
func (a *Auth) spendCode(ctx context.Context, m tenant.Member, code string) (good bool, err error) {
	if period, ok := a.periodOf(m.Factor.Secret, code); ok {
		return a.accounts.UseCode(ctx, m.ID, period)
	}
	sum := sha256.Sum256([]byte(code))
	return a.accounts.UseRecovery(ctx, m.ID, hex.EncodeToString(sum[:]))
}

// periodOf returns the period whose code it is, among those near now.
func (a *Auth) periodOf(secret, code string) (period int64, ok bool) {
	now := a.now()
	for skew := -codeSkew; skew <= codeSkew; skew++ {
		at := now.Add(time.Duration(skew) * codePeriod)
		good, err := totp.ValidateCustom(code, secret, at, totp.ValidateOpts{
			Period: uint(codePeriod / time.Second), Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
		})
		if err == nil && good {
			return at.Unix() / int64(codePeriod/time.Second), true
		}
	}
	return 0, false
}

// ProposeFactor makes the secret of a second factor for the viewer, and returns it as the address that authenticator apps read. It
// counts once ConfirmFactor has seen a code of it.
func (a *Auth) ProposeFactor(ctx context.Context, organization string) (address string, err error) {
	m, err := a.self(ctx)
	if err != nil {
		return "", err
	}
	if m.Factor.On() {
		return "", fault.New(fault.Conflict, "there is a second factor already").WithHint("Turn it off first.")
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: product + " " + organization, AccountName: m.Email})
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "make a secret")
	}
	return key.String(), a.accounts.SetFactor(ctx, m.ID, tenant.Factor{Secret: key.Secret()})
}

// ConfirmFactor turns the second factor of the viewer on and returns the recovery codes, which nobody can show again.
func (a *Auth) ConfirmFactor(ctx context.Context, code string) ([]string, error) {
	m, err := a.self(ctx)
	if err != nil {
		return nil, err
	}
	if m.Factor.On() || m.Factor.Secret == "" {
		return nil, fault.New(fault.Conflict, "no second factor is being set up").WithHint("Begin again.")
	}
	giveBack, err := a.try("code:"+m.ID.String(), "")
	if err != nil {
		return nil, err
	}
	period, ok := a.periodOf(m.Factor.Secret, strings.ReplaceAll(code, " ", ""))
	if !ok {
		return nil, fault.New(fault.Invalid, "the code does not belong to this secret").WithField(codeField).
			WithHint("Wait for the next code, and check that the clock of the phone is right.")
	}
	giveBack()
	shown, hashes, err := newRecovery()
	if err != nil {
		return nil, err
	}
	return shown, a.accounts.SetFactor(ctx, m.ID, tenant.Factor{Secret: m.Factor.Secret, Since: a.now(), Used: period, Recovery: hashes})
}

// DropFactor turns the second factor of the viewer off. It takes the password: a browser that was left open must not be enough.
func (a *Auth) DropFactor(ctx context.Context, password string) error {
	m, err := a.self(ctx)
	if err != nil {
		return err
	}
	if err := a.prove(ctx, m, password); err != nil {
		return err
	}
	return a.accounts.SetFactor(ctx, m.ID, tenant.Factor{})
}

// newRecovery makes recovery codes, as they are shown and as they are stored. So much randomness needs no slow hash.
func newRecovery() (shown, hashes []string, err error) {
	for range recoveryCodes {
		raw, err := randomBytes(recoveryBytes)
		if err != nil {
			return nil, nil, err
		}
		code := strings.ToLower(base32.StdEncoding.EncodeToString(raw))
		sum := sha256.Sum256([]byte(code))
		shown, hashes = append(shown, code[:4]+"-"+code[4:8]+"-"+code[8:12]+"-"+code[12:]), append(hashes, hex.EncodeToString(sum[:]))
	}
	return shown, hashes, nil
}
