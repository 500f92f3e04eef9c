package runspec_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	"github.com/seatrial/seatrial/proto/runspec"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// author is somebody with a key.
type author struct {
	secret ed25519.PrivateKey
	key    runspec.Key
	pem    string
}

func newAuthor(t *testing.T, seed string) author {
	t.Helper()
	secret := ed25519.NewKeyFromSeed([]byte((seed + strings.Repeat(".", 32))[:32]))
	der, err := x509.MarshalPKIXPublicKey(secret.Public())
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	keys, err := runspec.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return author{secret, keys[0], text}
}

func (a author) sign(message []byte) ([]byte, error) { return ed25519.Sign(a.secret, message), nil }

// statement is one that holds for the assignment of whole.
func statement(specifications ...[]byte) runspec.Statement {
	s := runspec.Statement{Organization: "acme", Workflow: "shop", SignedAt: now.Add(-time.Hour)}
	for _, one := range specifications {
		s.Specifications = append(s.Specifications, runspec.Digest(one))
	}
	return s
}

// attach puts a signature and a specification beside an assignment.
func (a author) attach(t *testing.T, to *agentv1.Assignment, s runspec.Statement, specification []byte) *agentv1.Assignment {
	t.Helper()
	envelope, err := runspec.Sign(s, a.key.ID(), a.sign)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := proto.Clone(to).(*agentv1.Assignment)
	out.RunSpecification = &agentv1.RunSpecification{Envelope: envelope, Specification: specification}
	return out
}

// whole returns an assignment in which every field of every message is set, as the protocol has them now. Of the alternatives of a
// oneof the one with the number is, counted around.
func whole(alternative int) *agentv1.Assignment {
	a := &agentv1.Assignment{}
	fill(a.ProtoReflect(), alternative)
	a.Plan.AttemptId, a.Workflow, a.RunSpecification = a.GetAttemptId(), "shop", nil
	a.Plan.Shard.Index, a.Plan.Shard.Count = 1, 3
	return a
}

func fill(m protoreflect.Message, alternative int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() && o.Fields().Get(alternative%o.Fields().Len()) != f {
			continue
		}
		switch {
		case f.IsMap():
			m.Mutable(f).Map().Set(protoreflect.ValueOfString("k").MapKey(), scalar(f.MapValue(), 1))
		case f.IsList():
			list := m.Mutable(f).List()
			if f.Message() == nil {
				list.Append(scalar(f, 1))
				continue
			}
			one := list.NewElement()
			fill(one.Message(), alternative)
			list.Append(one)
		case f.Message() != nil:
			fill(m.Mutable(f).Message(), alternative)
		default:
			m.Set(f, scalar(f, 1))
		}
	}
}

// scalar returns a value that is not the default; another n gives another value. A kind of field that is not here is new: add it.
func scalar(f protoreflect.FieldDescriptor, n int) protoreflect.Value {
	return map[protoreflect.Kind]func() protoreflect.Value{
		protoreflect.StringKind: func() protoreflect.Value {
			return protoreflect.ValueOfString(string(f.Name()) + strings.Repeat("'", n-1))
		},
		protoreflect.BytesKind:  func() protoreflect.Value { return protoreflect.ValueOfBytes([]byte(strings.Repeat("b", n))) },
		protoreflect.BoolKind:   func() protoreflect.Value { return protoreflect.ValueOfBool(n == 1) },
		protoreflect.Int32Kind:  func() protoreflect.Value { return protoreflect.ValueOfInt32(int32(n)) },
		protoreflect.Int64Kind:  func() protoreflect.Value { return protoreflect.ValueOfInt64(int64(n)) },
		protoreflect.Uint32Kind: func() protoreflect.Value { return protoreflect.ValueOfUint32(uint32(n)) },
		protoreflect.DoubleKind: func() protoreflect.Value { return protoreflect.ValueOfFloat64(float64(n)) },
		protoreflect.EnumKind:   func() protoreflect.Value { return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)) },
	}[f.Kind()]()
}
