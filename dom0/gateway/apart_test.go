// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

// grants is a guest that grants at most most bytes at once; a larger request is
// too large, or fails in another way.
type grants struct {
	Domain
	most int
	more error

	mu      *sync.Mutex
	granted *int
	dialled *int
}

type granted struct {
	transport.ClientEndpoint
	of   grants
	size int
	once *sync.Once
}

func (g grants) Dial(ctx context.Context, o transport.Offer) (transport.ClientEndpoint, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if *g.granted+o.Size > g.most {
		return nil, fmt.Errorf("%w: %d and %d bytes of %d", g.more, *g.granted, o.Size, g.most)
	}
	ep, err := g.Domain.Dial(ctx, o)
	if err == nil {
		*g.dialled++
		*g.granted += o.Size
		ep = granted{ep, g, o.Size, new(sync.Once)}
	}
	return ep, err
}

func (g granted) Close() error {
	g.once.Do(func() {
		g.of.mu.Lock()
		defer g.of.mu.Unlock()
		*g.of.granted -= g.size
	})
	return g.ClientEndpoint.Close()
}

// newGrantingHost is a host whose guests grant 4 MiB.
func newGrantingHost(t *testing.T, more error) (_ *fakeHost, dialled *int) {
	var mu sync.Mutex
	sum, dialled := new(int), new(int)
	return openHost(t, func(o *Options) {
		find := o.Find
		o.Find = func(ctx context.Context, domain string) (Domain, error) {
			d, err := find(ctx, domain)
			return grants{d, 4 << 20, more, &mu, sum, dialled}, err
		}
	}), dialled
}

// A user with a channel that the guest cannot grant gets an error; other users
// with small channels do not.
func TestTooLargeIsItsCallersFailure(t *testing.T) {
	for name, more := range map[string]error{"too large": vlibcall.ErrTooLarge, "out of memory": errors.New("out of memory")} {
		t.Run(name, func(t *testing.T) {
			h, _ := newGrantingHost(t, more)
			h.vlibOS("web", nil)
			h.configure(nil, mine("web", testkit.Patience))
			big, err := h.open("web", 8<<20, testkit.Patience)
			if err != nil {
				t.Fatal(err)
			}
			defer big.Close()
			small, err := h.open("web", 64<<10, testkit.Patience)
			if err != nil {
				t.Fatal(err)
			}
			defer small.Close()
			for range 20 { // the first one before there is a channel to the guest
				if _, err := call(big, "echo", "x"); err == nil || !errors.Is(err, more) && errors.Is(more, vlibcall.ErrTooLarge) {
					t.Errorf("8 MiB: %v, want %v", err, more)
				}
				h.echoes(small)
			}
			if s := h.List()[0]; s.Done != 20 || s.Failed != 20 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// Users can have everything that a guest grants, whatever smaller channels
// existed before. An existing channel still serves when a larger one fails.
func TestChannelsGrowToWhatTheGuestGrants(t *testing.T) {
	h, dialled := newGrantingHost(t, errors.New("no"))
	h.vlibOS("web", nil)
	h.configure(nil, mine("web", testkit.Patience))
	h.echoes(h.client("web", testkit.Patience))
	for range 3 {
		big, err := h.open("web", 8<<20, testkit.Patience)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := call(big, "echo", "x"); err == nil {
			t.Error("8 MiB of 4")
		}
		big.Close()
		testkit.Eventually(t, "it is closed", func() bool { return h.List()[0].Clients == 1 })
	}
	h.echoes(h.client("web", testkit.Patience))
	if *dialled != 1 {
		t.Errorf("%d channels were made for calls that fit into one", *dialled)
	}

	h, _ = newGrantingHost(t, vlibcall.ErrTooLarge)
	h.vlibOS("web", nil)
	h.configure(nil, mine("web", testkit.Patience))
	h.echoes(h.client("web", testkit.Patience))
	all, err := h.open("web", 4<<20, testkit.Patience)
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	h.echoes(all)
}

// keepMemory opens a channel step by step, closes it, and keeps its memory.
func (h *fakeHost) keepMemory(domain string, size uint64) (memory int, err error) {
	conn, err := net.Dial("unixpacket", native.Socket(filepath.Join(h.o.Dir, domain), 1))
	if err != nil {
		return -1, err
	}
	defer conn.Close()
	hello := binary.LittleEndian.AppendUint64(nil, uint64(transport.Revision))
	hello = binary.LittleEndian.AppendUint64(hello, size)
	hello = binary.LittleEndian.AppendUint64(hello, 1)
	if _, err := conn.Write(hello); err != nil {
		return -1, err
	}
	said, oob := make([]byte, 2000), make([]byte, unix.CmsgSpace(12))
	n, oobn, _, _, err := conn.(*net.UnixConn).ReadMsgUnix(said, oob)
	if err != nil {
		return -1, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) == 0 {
		return -1, errors.Join(err, errors.New(string(said[8:n])))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return -1, err
	}
	for _, fd := range fds[1:] {
		unix.Close(fd)
	}
	return fds[0], nil
}

// Memory of closed channels that a user has counts until it is released.
func TestMemoryOfClosedChannelsCounts(t *testing.T) {
	h := newHost(t, nil)
	h.vlibOS("web", nil)
	h.configure(nil, mine("web", testkit.Patience))
	var memories []int
	defer func() {
		for _, fd := range memories {
			unix.Close(fd)
		}
	}()
	const size = userBytes / 2
	for range 30 {
		fd, err := h.keepMemory("web", size)
		if err == nil {
			memories = append(memories, fd)
		}
		testkit.Eventually(t, "the channel is closed", func() bool { return h.List()[0].Clients == 0 })
	}
	if len(memories) != 2 {
		t.Errorf("a user has %d bytes; at most %d are allowed", len(memories)*size, userBytes)
	}
	// For a while no rule names the domain: the memory still counts.
	h.configure(nil)
	h.configure(nil, mine("web", testkit.Patience))
	if _, err := h.open("web", size, testkit.Patience); !errors.Is(err, vlibcall.ErrDenied) {
		t.Error(err)
	}
	for _, fd := range memories {
		unix.Close(fd)
	}
	memories = nil
	// A process that another test has just forked has the memory for a moment,
	// too.
	var c *vlibcall.Channel
	testkit.Eventually(t, "the memory is free", func() bool {
		var err error
		c, err = h.open("web", size, testkit.Patience)
		return err == nil
	})
	defer c.Close()
	h.echoes(c)
}
