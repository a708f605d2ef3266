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
		{"request id", unsafe.Offsetof(h.Request) + unsafe.Offsetof(h.Request.ID), 0x080},
		{"request shape", unsafe.Offsetof(h.Request) + unsafe.Offsetof(h.Request.Shape), 0x088},
		{"request timeout", unsafe.Offsetof(h.Request) + unsafe.Offsetof(h.Request.Timeout), 0x090},
		{"client waiting", unsafe.Offsetof(h.Request) + unsafe.Offsetof(h.Request.Waiting), 0x098},
		{"request inline", unsafe.Offsetof(h.Request) + unsafe.Offsetof(h.Request.Inline), 0x0a0},
		{"reply id", unsafe.Offsetof(h.Reply) + unsafe.Offsetof(h.Reply.ID), 0x480},
		{"reply shape", unsafe.Offsetof(h.Reply) + unsafe.Offsetof(h.Reply.Shape), 0x488},
		{"server waiting", unsafe.Offsetof(h.Reply) + unsafe.Offsetof(h.Reply.Waiting), 0x490},
		{"reply inline", unsafe.Offsetof(h.Reply) + unsafe.Offsetof(h.Reply.Inline), 0x4a0},
		{"cancel", unsafe.Offsetof(h.Cancel), 0x880},
		{"client alive", unsafe.Offsetof(h.ClientAlive), ClientAlive},
		{"server alive", unsafe.Offsetof(h.ServerAlive), ServerAlive},
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
