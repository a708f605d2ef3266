// SPDX-License-Identifier: Apache-2.0

package cache

import "fmt"

// Ways is the part of a cache that can be allocated. One bit of a mask stands
// for one of Bits equal parts.
type Ways struct {
	Bits    int  // of a mask, 1 to 64
	Least   int  // smallest number of bits in a mask
	Classes int  // in addition to that of domains without a class
	CDP     bool // code and data have separate masks
}

// Bandwidth is the memory bandwidth that can be allocated.
type Bandwidth struct {
	Least   int // per cent that a class must keep
	Step    int // per cent between two values
	Classes int // in addition to that of domains without a class
}

// Layout is what a processor can allocate. A nil member cannot be allocated.
type Layout struct {
	L3, L2    *Ways
	Bandwidth *Bandwidth
	// Groups is the number of classes, in addition to that of domains without a
	// class, on hosts where each class takes a number of every resource,
	// whatever it sets and even if another one has the same masks. 0: a class
	// takes numbers only of the resources that it sets, and classes with the
	// same masks share one.
	Groups int
	// Spare says that the values of a domain are set one after another, so that
	// a domain on its way into a class with several values needs one number
	// more.
	Spare bool
}

// Has reports whether anything can be allocated.
func (l Layout) Has() bool { return l.L3 != nil || l.L2 != nil || l.Bandwidth != nil }

func (l Layout) String() string {
	text := fmt.Sprintf("L3: %v; L2: %v; memory bandwidth: %v", l.L3, l.L2, l.Bandwidth)
	if l.Groups != 0 {
		text += fmt.Sprintf("; %d classes together", l.Groups)
	}
	return text
}

func (w *Ways) String() string {
	if w == nil {
		return "none"
	}
	text := fmt.Sprintf("%d parts, %d classes", w.Bits, w.Classes)
	if w.CDP {
		text += ", code and data separate"
	}
	return text
}

func (b *Bandwidth) String() string {
	if b == nil {
		return "none"
	}
	return fmt.Sprintf("steps of %d %%, %d classes", b.Step, b.Classes)
}

// available is the number of classes with those masks that fit, where classes
// with the same masks count as one.
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
