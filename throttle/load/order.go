// SPDX-License-Identifier: Apache-2.0

package load

import "math/bits"

// order is a random permutation of n lines that is computed, in both
// directions. A shuffle would wait for memory at each step, which only the
// lines themselves should do.
//
// It works on the numbers below a power of two: it multiplies by an odd number
// and adds the upper half of the bits to the lower half, several times. Numbers
// that are not lines are skipped.
type order struct {
	n, mask uint64
	half    int
}

// factors are odd, each with its inverse modulo 2^64.
var factors = func() (all [3][2]uint64) {
	for i, f := range []uint64{0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb} {
		inverse := f // right in its lowest three bits, doubled by each step
		for range 5 {
			inverse *= 2 - f*inverse
		}
		all[i] = [2]uint64{f, inverse}
	}
	return all
}()

// newOrder makes an order of n lines, at least 1.
func newOrder(n uint64) order {
	size := bits.Len64(n - 1)
	return order{n: n, mask: 1<<size - 1, half: (size + 1) / 2}
}

// line is the line at a place of the order.
func (o order) line(place uint64) uint64 {
	for {
		for _, f := range factors {
			place = place * f[0] & o.mask
			place ^= place >> o.half
		}
		if place < o.n {
			return place
		}
	}
}

// place is the place of a line in the order.
func (o order) place(line uint64) uint64 {
	for {
		for i := len(factors) - 1; i >= 0; i-- {
			line ^= line >> o.half
			line = line * factors[i][1] & o.mask
		}
		if line < o.n {
			return line
		}
	}
}
