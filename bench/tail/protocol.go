// SPDX-License-Identifier: Apache-2.0

package tail

import (
	"bytes"
	"fmt"
	"math/rand/v2"
)

// The data: more than the private caches hold, so that the service needs the
// memory that a job wants too.
const (
	keys      = 32 << 10
	valueSize = 4096
	// setsPerMille of the requests store a value, the others read one.
	setsPerMille = 50
)

// request is one of memcached's text protocol, and what answers it.
type request struct {
	text []byte
	// answer is the answer's length, prefix its beginning.
	answer int
	prefix string
}

// Prefixes of answers.
const (
	stored = "STORED\r\n"
	found  = "VALUE "
)

// mix makes requests for random keys. A request's text is valid until the next
// one is made.
type mix struct {
	random *rand.Rand
	value  []byte
	get    []byte
	set    []byte
}

func newMix(seed uint64) *mix {
	return &mix{random: rand.New(rand.NewPCG(seed, 7)), value: bytes.Repeat([]byte("vLibOS4X"), valueSize/8)}
}

func (m *mix) next() request {
	key := m.random.Uint32N(keys)
	if m.random.UintN(1000) < setsPerMille {
		return m.store(key)
	}
	m.get = fmt.Appendf(m.get[:0], "get key%08d\r\n", key)
	// VALUE key00000000 0 4096\r\n, the value, \r\nEND\r\n
	return request{m.get, len("VALUE key00000000 0 4096\r\n") + valueSize + len("\r\nEND\r\n"), found}
}

func (m *mix) store(key uint32) request {
	m.set = fmt.Appendf(m.set[:0], "set key%08d 0 0 %d\r\n", key, valueSize)
	m.set = append(append(m.set, m.value...), '\r', '\n')
	return request{m.set, len(stored), stored}
}
