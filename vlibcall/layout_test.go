// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"testing"
	"unsafe"
)

// The offsets of docs/channel.md. A change here is a change of Revision.
func TestHeaderLayout(t *testing.T) {
	var h header
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
		{"request id", unsafe.Offsetof(h.request) + unsafe.Offsetof(h.request.id), 0x080},
		{"request shape", unsafe.Offsetof(h.request) + unsafe.Offsetof(h.request.shape), 0x088},
		{"request timeout", unsafe.Offsetof(h.request) + unsafe.Offsetof(h.request.timeout), 0x090},
		{"client waiting", unsafe.Offsetof(h.request) + unsafe.Offsetof(h.request.waiting), 0x098},
		{"request inline", unsafe.Offsetof(h.request) + unsafe.Offsetof(h.request.inline), 0x0a0},
		{"reply id", unsafe.Offsetof(h.reply) + unsafe.Offsetof(h.reply.id), 0x480},
		{"reply shape", unsafe.Offsetof(h.reply) + unsafe.Offsetof(h.reply.shape), 0x488},
		{"server waiting", unsafe.Offsetof(h.reply) + unsafe.Offsetof(h.reply.waiting), 0x490},
		{"reply inline", unsafe.Offsetof(h.reply) + unsafe.Offsetof(h.reply.inline), 0x4a0},
		{"cancel", unsafe.Offsetof(h.cancel), 0x880},
		{"client alive", unsafe.Offsetof(h.clientAlive), ClientAlive},
		{"server alive", unsafe.Offsetof(h.serverAlive), ServerAlive},
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
