// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"testing"
	"unsafe"
)

// The offsets of docs/reference/channel.md. A change here is a change of Revision.
func TestHeaderLayout(t *testing.T) {
	var h Header
	for _, f := range []struct {
		name      string
		got, want uintptr
	}{
		{"size", unsafe.Sizeof(h), 4096},
		{"magic", unsafe.Offsetof(h.magic), 0x000},
		{"revision", unsafe.Offsetof(h.revision), 0x008},
		{"header size", unsafe.Offsetof(h.headerSize), 0x00c},
		{"generation", unsafe.Offsetof(h.generation), 0x010},
		{"channel size", unsafe.Offsetof(h.size), 0x018},
		{"client state", unsafe.Offsetof(h.Client) + unsafe.Offsetof(h.Client.Alive), ClientAlive},
		{"in flight", unsafe.Offsetof(h.Client) + unsafe.Offsetof(h.Client.InFlight), 0x084},
		{"period", unsafe.Offsetof(h.Client) + unsafe.Offsetof(h.Client.Period), 0x088},
		{"client waiting", unsafe.Offsetof(h.Client) + unsafe.Offsetof(h.Client.Waiting), 0x090},
		{"server state", unsafe.Offsetof(h.Server) + unsafe.Offsetof(h.Server.Alive), ServerAlive},
		{"server waiting", unsafe.Offsetof(h.Server) + unsafe.Offsetof(h.Server.Waiting), 0x104},
		{"slots", unsafe.Offsetof(h.Slots), 0x200},
		{"slot", unsafe.Sizeof(h.Slots[0]), Line},
		{"shape of a slot", unsafe.Offsetof(h.Slots[0].Shape), 0x08},
		{"timeout of a slot", unsafe.Offsetof(h.Slots[0].Timeout), 0x10},
		{"line of a slot", unsafe.Offsetof(h.Slots[0].Line), 0x18},
		{"near area", unsafe.Offsetof(h.Near), 0x600},
	} {
		if f.got != f.want {
			t.Errorf("%s at %#x, want %#x", f.name, f.got, f.want)
		}
	}
	magic := Magic
	if got := string((*[8]byte)(unsafe.Pointer(&magic))[:]); got != "vLibOS\x00\x01" {
		t.Errorf("magic in memory is %q", got)
	}
}
