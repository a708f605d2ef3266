// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package grant

import (
	"testing"
)

// Costs of opening and closing a channel.
func BenchmarkLabMap(b *testing.B) {
	m, err := OpenMapper()
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	a, err := OpenAllocator()
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	pages, err := a.Alloc(0, 16, true)
	if err != nil {
		b.Fatal(err)
	}
	defer pages.Free()
	b.Run("map and unmap", func(b *testing.B) {
		for b.Loop() {
			mapping, err := m.Map(0, pages.Refs(), true, nil)
			if err != nil {
				b.Fatal(err)
			}
			if err := mapping.Unmap(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("refused", func(b *testing.B) {
		for b.Loop() {
			if _, err := m.Map(0, []uint32{54321}, true, nil); err == nil {
				b.Fatal("mapped")
			}
		}
	})
	b.Run("copy a page", func(b *testing.B) {
		local := make([]byte, pageSize)
		for b.Loop() {
			if err := m.Copy(0, []Segment{{Ref: pages.Refs()[0], Local: local}}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("allocate and free", func(b *testing.B) {
		for b.Loop() {
			p, err := a.Alloc(0, 16, true)
			if err != nil {
				b.Fatal(err)
			}
			if err := p.Free(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open and close the mapper", func(b *testing.B) {
		for b.Loop() {
			m, err := OpenMapper()
			if err != nil {
				b.Fatal(err)
			}
			if err := m.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
