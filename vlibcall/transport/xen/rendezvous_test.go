// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

func TestNodesAreReadAsWritten(t *testing.T) {
	g := greeting{1, 64 << 20}
	if got, err := parseGreeting(g.String()); got != g || err != nil {
		t.Errorf("%v: %v, %v", g, got, err)
	}
	for _, control := range []bool{false, true} {
		r := request{channelID(rand.Uint64()), transport.Revision, 8192, 1<<64 - 1, control}
		if got, err := parseRequest(r.String()); got != r || err != nil {
			t.Errorf("%v: %v, %v", r, got, err)
		}
		if got, ok := requestID(r.String()); got != r.id || !ok {
			t.Errorf("%v: channel %v, %v", r, got, ok)
		}
	}
	a := answer{8, 9, 1<<32 - 1}
	if got, err := parseAnswer(a.String()); got != a || err != nil {
		t.Errorf("%v: %v, %v", a, got, err)
	}
	id := channelID(rand.Uint64())
	if got, ok := parseChannelID(id.String()); got != id || !ok {
		t.Errorf("%v: %v", id, got)
	}
}

func TestInvalidNodesAreRefused(t *testing.T) {
	for _, text := range []string{
		"", " ", "header=1", "header=1 directory=2 port=", "header=1 directory=2 port=-1",
		"header=1 directory=2 port=4294967296", "directory=2 header=1 port=3",
		"header=1 directory=2 port=3 ", "header=1 directory=2 port=3\n", "header=0x1 directory=2 port=3",
		"header=1  directory=2 port=3", "header=+1 directory=2 port=3", "header=1\x00 directory=2 port=3",
		strings.Repeat("header=1 ", 1000),
	} {
		if a, err := parseAnswer(text); err == nil {
			t.Errorf("%.60q is an answer: %v", text, a)
		} else if len(err.Error()) > 400 {
			t.Errorf("%.60q: error of %d bytes", text, len(err.Error()))
		}
	}
	for _, text := range []string{"", "1", "000000000000000G", "00000000000000001", "-000000000000001", "../../../../../a0"} {
		if id, ok := parseChannelID(text); ok {
			t.Errorf("%q is channel %v", text, id)
		}
	}
	const id = "0123456789abcdef"
	revision := fmt.Sprintf("-%d-", transport.Revision)
	for _, name := range []string{
		"", id, id + revision + "8192", id + revision + "8192-0-0", id + revision + "8191-0", id + revision + "0-0",
		id + revision + "18446744073709551615-0", id + "-99-8192-0", id + revision + "8192-x", id + revision + "-8192-0",
		id[1:] + revision + "8192-0", id + revision + "8192-0/answer",
		id + revision + "8192-0-control-control", id + revision + "8192-control", id + revision + "8192-0-other",
	} {
		if r, err := parseRequest(name); err == nil {
			t.Errorf("%q is a request: %v", name, r)
		}
	}
	// A request that is refused is still one.
	if got, ok := requestID(id + "-99-1"); !ok || got.String() != id {
		t.Errorf("channel %v, %v", got, ok)
	}
}

func TestRefusals(t *testing.T) {
	sent := &vlibcall.StatusError{Status: vlibcall.StatusTooLarge, Detail: "no room\x1b[2J"}
	err, ok := parseRefusal(refusal(sent))
	if !ok || !errors.Is(err, vlibcall.ErrTooLarge) || err.Error() != "too large for the channel: no room\ufffd[2J" {
		t.Errorf("%v became %v, %v", sent, err, ok)
	}
	for _, text := range []string{"error=", "error=0 fine", "error=99 x", "error=-1 x", "error=x", "error=65536 x"} {
		if err, ok := parseRefusal(text); !ok || !errors.Is(err, vlibcall.ErrProtocol) {
			t.Errorf("%q: %v, %v", text, err, ok)
		}
	}
	if err, ok := parseRefusal("header=1 directory=2 port=3"); ok {
		t.Errorf("an answer is the refusal %v", err)
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add("header=1 directory=2 port=3")
	f.Add("error=no")
	f.Fuzz(func(t *testing.T, text string) {
		if a, err := parseAnswer(text); err == nil {
			if again, err := parseAnswer(a.String()); again != a || err != nil {
				t.Errorf("%q: %v, then %v, %v", text, a, again, err)
			}
		}
	})
}

func TestDirectoryIsReadAsWritten(t *testing.T) {
	for _, n := range []int{1, 2, refsPerPage, refsPerPage + 1, 2*refsPerPage + 7, 4095} {
		refs := make([]uint32, n)
		pages := make(map[uint32][]byte)
		data := make([]byte, n*pageSize)
		for i := range refs {
			refs[i] = uint32(1000 + 3*i)
			pages[refs[i]] = data[i*pageSize : (i+1)*pageSize]
		}
		writeDirectory(data, refs)
		reads := 0
		got, err := readDirectory(refs[0], n, func(ref uint32, page []byte) error {
			reads++
			if pages[ref] == nil {
				return errors.New("not granted")
			}
			copy(page, pages[ref])
			return nil
		})
		if err != nil || !slices.Equal(got, refs) || reads != directoryPages(n) {
			t.Errorf("%d references: %d back in %d reads, %v", n, len(got), reads, err)
		}
	}
}

func TestLoopingDirectoryIsReadOnce(t *testing.T) {
	reads := 0
	refs, err := readDirectory(7, 4095, func(_ uint32, page []byte) error {
		reads++
		for i := range page {
			page[i] = 7
		}
		return nil
	})
	if err != nil || len(refs) != 4095 || reads != directoryPages(4095) {
		t.Errorf("%d references in %d reads, %v", len(refs), reads, err)
	}
}
