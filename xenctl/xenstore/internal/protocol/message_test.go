// SPDX-License-Identifier: Apache-2.0

package protocol

//go:generate ../../../../internal/golden/generate.sh testdata/layout.c testdata/layout.txt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/vlibos/vlibos/internal/golden"
)

func TestLayoutMatchesTheCCompiler(t *testing.T) {
	probe := Append(nil, Message{Type: 0xa1, Request: 0xb2, Tx: 0xc3, Payload: make([]byte, 0xd4)})
	at := func(v uint32) uint64 {
		return uint64(bytes.Index(probe[:HeaderSize], binary.LittleEndian.AppendUint32(nil, v)))
	}
	values := map[string]uint64{
		"XS_DIRECTORY":                         uint64(Directory),
		"XS_READ":                              uint64(Read),
		"XS_GET_PERMS":                         uint64(GetPerms),
		"XS_WATCH":                             uint64(Watch),
		"XS_UNWATCH":                           uint64(Unwatch),
		"XS_TRANSACTION_START":                 uint64(TransactionStart),
		"XS_TRANSACTION_END":                   uint64(TransactionEnd),
		"XS_GET_DOMAIN_PATH":                   uint64(GetDomainPath),
		"XS_WRITE":                             uint64(Write),
		"XS_MKDIR":                             uint64(Mkdir),
		"XS_RM":                                uint64(Remove),
		"XS_SET_PERMS":                         uint64(SetPerms),
		"XS_WATCH_EVENT":                       uint64(WatchEvent),
		"XS_ERROR":                             uint64(Error),
		"XS_IS_DOMAIN_INTRODUCED":              uint64(IsDomainIntroduced),
		"XS_DIRECTORY_PART":                    uint64(DirectoryPart),
		"XENSTORE_PAYLOAD_MAX":                 PayloadMax,
		"sizeof(struct xsd_sockmsg)":           HeaderSize,
		"offsetof(struct xsd_sockmsg, type)":   at(0xa1),
		"offsetof(struct xsd_sockmsg, req_id)": at(0xb2),
		"offsetof(struct xsd_sockmsg, tx_id)":  at(0xc3),
		"offsetof(struct xsd_sockmsg, len)":    at(0xd4),
	}
	for name, errno := range Errors {
		values["error "+name] = uint64(errno)
	}
	golden.Check(t, values)
}

func TestReceiveRefusesInvalidMessages(t *testing.T) {
	header := func(length uint32) []byte {
		return binary.LittleEndian.AppendUint32(make([]byte, 12), length)
	}
	for name, tt := range map[string]struct {
		in   []byte
		want error
	}{
		"nothing":        {nil, io.EOF},
		"half a header":  {make([]byte, 7), io.ErrUnexpectedEOF},
		"half a payload": {append(header(8), 1, 2), io.ErrUnexpectedEOF},
		"no payload":     {header(8), io.ErrUnexpectedEOF},
		"one too long":   {append(header(PayloadMax+1), make([]byte, PayloadMax+1)...), ErrFormat},
		"4 GiB":          {header(1<<32 - 1), ErrFormat},
	} {
		if _, err := Receive(bytes.NewReader(tt.in)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if m, err := Receive(bytes.NewReader(append(header(PayloadMax), make([]byte, PayloadMax)...))); err != nil || len(m.Payload) != PayloadMax {
		t.Errorf("the longest message: %d bytes, %v", len(m.Payload), err)
	}
}

func TestTextIsOneString(t *testing.T) {
	for in, want := range map[string]string{"": "", "a": "a", "a\x00": "a"} {
		if got, err := Text([]byte(in)); got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	if _, err := Text([]byte("a\x00b")); !errors.Is(err, ErrFormat) {
		t.Errorf("two strings: %v", err)
	}
}

func FuzzReceive(f *testing.F) {
	f.Add(Append(nil, Message{Type: WatchEvent, Payload: Join("/a", "token")}))
	f.Add(Append(nil, Message{Type: Error, Request: 7, Payload: Join("ENOENT")}))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		m, err := Receive(r)
		if err != nil {
			return
		}
		used := in[:len(in)-r.Len()]
		if again := Append(nil, m); !bytes.Equal(again, used) {
			t.Errorf("% x was read as % x", used, again)
		}
	})
}

func FuzzList(f *testing.F) {
	f.Add([]byte("a\x00b\x00"))
	f.Add([]byte("a\x00\x00b"))
	f.Fuzz(func(t *testing.T, in []byte) {
		list, err := List(in)
		if err != nil {
			return
		}
		if again := Join(list...); !slices.Equal(again, in) {
			t.Errorf("%q was read as %q", in, list)
		}
	})
}
