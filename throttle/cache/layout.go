// SPDX-License-Identifier: Apache-2.0

package cache

import "fmt"

// Ways is what can be allocated of a cache. One bit of a mask stands for one of
// Bits equal parts of it.
type Ways struct {
	Bits    int  // of a mask, 1 to 64
	Least   int  // bits that a mask must have
	Classes int  // beside the one of those without a class
	CDP     bool // code and data have masks of their own
}

// Bandwidth is what can be allocated of the way to memory.
type Bandwidth struct {
	Least   int // per cent that a class must be left
	Step    int // per cent between one value and the next
	Classes int // beside the one of those without a class
}

// Layout is what a processor can allocate. Nil: nothing of that.
type Layout struct {
	L3, L2    *Ways
	Bandwidth *Bandwidth
	// Groups is how many classes there can be beside the one of those without a
	// class, where each takes a number of every resource, whatever it sets and
	// also if another has the same masks. 0: a class takes numbers only of what
	// it sets, and those with the same masks share one.
	Groups int
	// Spare says that the values of a domain are set one after another, so
	// that a domain on its way into a class that sets several needs one more.
	Spare bool
}

// Has reports whether there is anything to allocate.
func (l Layout) Has() bool { return l.L3 != nil || l.L2 != nil || l.Bandwidth != nil }

func (l Layout) String() string {
	text := fmt.Sprintf("L3: %v; L2: %v; memory bandwidth: %v", l.L3, l.L2, l.Bandwidth)
	if l.Groups != 0 {
		text += fmt.Sprintf("; %d classes in all", l.Groups)
	}
	return text
}

func (w *Ways) String() string {
	if w == nil {
		return "none"
	}
	text := fmt.Sprintf("%d parts, %d classes", w.Bits, w.Classes)
	if w.CDP {
		text += ", code and data apart"
	}
	return text
}

func (b *Bandwidth) String() string {
	if b == nil {
		return "none"
	}
	return fmt.Sprintf("steps of %d %%, %d classes", b.Step, b.Classes)
}

// available is how many classes with those masks there can be, where those with
// the same masks are one.
func (l Layout) available(all []Masks) int {
	most, several := int(^uint(0)>>1), false
	for _, m := range all {
		several = several || m.values() > 1
		if m.L3Code != 0 {
			most = min(most, l.L3.Classes)
		}
		if m.L2 != 0 {
			most = min(most, l.L2.Classes)
		}
		if m.Bandwidth != 0 {
			most = min(most, l.Bandwidth.Classes)
		}
	}
	if l.Spare && several {
		most--
	}
	return most
}
