// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"fmt"
	"testing"
	"time"
)

func lineOf(function string, n uint64) line {
	l := line{key: Key{Domain: "d", Library: "l", Function: function}}
	l.counters[wallAt] = n
	return l
}

// A caller that has not called for a long time makes room; its calls are not
// lost.
func TestOldestCallerMakesRoom(t *testing.T) {
	sums := totals{all: make(map[Key]*total)}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	has := func(function string) bool { return sums.all[lineOf(function, 0).key] != nil }
	calls := func() (n uint64) {
		for _, a := range sums.accounts() {
			n += a.Wall.Count()
		}
		return n
	}
	for i := range maxKeys {
		sums.add(nil, []line{lineOf(fmt.Sprint(i), 1)}, now.Add(time.Duration(i)*time.Second))
	}
	now = now.Add(maxKeys * time.Second)
	if sums.add(nil, []line{lineOf("soon", 1)}, now); has("soon") || !sums.overflow || !has("0") {
		t.Error("it is there too soon")
	}
	now = now.Add(forgetAfter - 100*time.Second)
	if sums.add(nil, []line{lineOf("later", 1)}, now); !has("later") || has("0") || has("1") || !has("2") {
		t.Error("the oldest did not make room")
	}
	if sums.add(nil, []line{lineOf("0", 5)}, now); !has("0") || sums.all[lineOf("0", 0).key].counters[wallAt] != 5 {
		t.Error("a caller that comes back starts from zero")
	}
	if n := calls(); n != maxKeys+1+1+5 || len(sums.all) > maxKeys+1 {
		t.Errorf("%d calls, %d keys", n, len(sums.all))
	}
}

// A book without calls needs no room.
func TestEmptyBookTakesNoRoom(t *testing.T) {
	sums := totals{all: make(map[Key]*total)}
	if sums.add(nil, []line{lineOf("f", 0)}, time.Now()); len(sums.all) != 0 {
		t.Errorf("%v", sums.accounts())
	}
}
