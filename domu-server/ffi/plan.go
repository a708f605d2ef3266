// SPDX-License-Identifier: Apache-2.0

package ffi

import "github.com/vlibos/vlibos/vlibcall/signature"

// planKey names a function called with one signature.
type planKey struct{ function, signature string }

// A plan is the part of a call that function and signature determine: the word
// of the frame for each argument.
type plan struct {
	fn            uintptr
	errnoLocation uintptr
	word          [signature.MaxArgs]uint8
}

// plan returns the plan for a function, and makes it the first time.
func (l *Library) plan(function string, s *signature.Signature) (*plan, error) {
	key := planKey{function, s.String()}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p, ok := l.plans[key]; ok {
		return p, nil
	}
	fn, err := l.symbol(function)
	if err != nil {
		return nil, err
	}
	c, err := theLinker()
	if err != nil {
		return nil, err
	}
	p := &plan{fn: fn, errnoLocation: c.errnoLocation}
	p.place(s)
	if len(l.plans) >= maxCached {
		clear(l.plans)
	}
	l.plans[key] = p
	return p, nil
}

// place assigns a word to each argument, in the ABI's order.
func (p *plan) place(s *signature.Signature) {
	ints, floats, stack := 0, firstFloat, firstStack
	for i := range s.NumArgs() {
		next := &stack
		switch float := s.Arg(i).Kind.Float(); {
		case float && floats < firstStack:
			next = &floats
		case !float && ints < firstFloat:
			next = &ints
		}
		p.word[i] = uint8(*next)
		*next++
	}
}
