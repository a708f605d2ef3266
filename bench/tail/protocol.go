// SPDX-License-Identifier: Apache-2.0

package tail

import (
	"bytes"
	"fmt"
	"math/rand/v2"
)

// Data is what the service stores: Keys values of Size bytes each.
type Data struct {
	Keys uint32
	Size int
}

// large is more than the private caches have room for, so that the service needs
// memory as the job does.
var large = Data{Keys: 32 << 10, Size: 4096}

// setsPerMille of the requests store a value, the others read one.
const setsPerMille = 50

// request is a request of memcached's text protocol, with the expected answer.
type request struct {
	text []byte
	// answer is the answer's length in bytes, prefix its beginning.
	answer int
	prefix string
}

// Prefixes of answers.
const (
	stored = "STORED\r\n"
	found  = "VALUE "
)

// mix makes requests for random keys. A request's text is valid until the next
// request is made.
type mix struct {
	Data
	random *rand.Rand
	answer int // the length of the answer to a get
	value  []byte
	get    []byte
	set    []byte
}

func newMix(d Data, seed uint64) *mix {
	return &mix{
		Data: d, random: rand.New(rand.NewPCG(seed, 7)), value: bytes.Repeat([]byte("x"), d.Size),
		answer: len(fmt.Sprintf("VALUE key%08d 0 %d\r\n", 0, d.Size)) + d.Size + len("\r\nEND\r\n"),
	}
}

func (m *mix) next() request {
	key := m.random.Uint32N(m.Keys)
	if m.random.UintN(1000) < setsPerMille {
		return m.store(key)
	}
	m.get = fmt.Appendf(m.get[:0], "get key%08d\r\n", key)
	return request{m.get, m.answer, found}
}

func (m *mix) store(key uint32) request {
	m.set = fmt.Appendf(m.set[:0], "set key%08d 0 0 %d\r\n", key, m.Size)
	m.set = append(append(m.set, m.value...), '\r', '\n')
	return request{m.set, len(stored), stored}
}
