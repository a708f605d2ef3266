// SPDX-License-Identifier: Apache-2.0

package ffi

import (
	"bytes"
	"unsafe"

	"github.com/vlibos/vlibos/vlibcall/signature"
)

// Call calls a function of the library and encodes its result into dst. It
// returns the number of bytes of dst that the result takes. Out buffers are in
// dst itself, in buffers in the memory of req, so nothing large is copied
// except the contents of io buffers.
//
// It blocks while the function runs, and cannot be interrupted. If the function
// crashes or exits, so does the process. Call cannot check that the signature
// is the function's.
//
// Errors are [*Error]s: [ErrNoFunction] for the function or a sym argument and
// [ErrArguments] for values that do not fit the signature, both before the
// call; and [ErrTooLarge] if the result does not fit dst, which is known of a
// returned string only afterwards.
func (l *Library) Call(function string, req *signature.Request, dst []byte) (int, error) {
	if _, err := req.Size(); err != nil {
		return 0, failure(ErrArguments, "%v", err)
	}
	s := req.Signature
	p, err := l.plan(function, s)
	if err != nil {
		return 0, err
	}
	f := frames.Get().(*frame)
	defer f.release()
	used, buffers, err := signature.LayoutResult(dst, req, f.buffers[:0])
	if err != nil {
		return 0, failure(ErrTooLarge, "%s: %v", function, err)
	}
	f.fn, f.errnoLocation = p.fn, p.errnoLocation
	for i, v := range req.Args {
		word := &f.words[p.word[i]]
		switch s.Arg(i).Kind {
		case signature.Str:
			*word = f.keep(i, terminated(v.Bytes))
		case signature.In:
			*word = f.keep(i, v.Bytes)
		case signature.IO, signature.Out:
			*word, buffers = f.keep(i, buffers[0].Bytes), buffers[1:]
		case signature.Sym:
			if *word, err = l.address(string(v.Bytes)); err != nil {
				return 0, err
			}
		case signature.Null:
		default:
			*word = v.Bits
		}
	}
	f.call()
	value := result(s.Return().Kind, f, len(dst)-used)
	n, err := signature.FinishResult(dst, used, s, value, int32(f.errno))
	if err != nil {
		return 0, failure(ErrTooLarge, "%s: the returned string does not fit the %d bytes for the result", function, len(dst))
	}
	return n, nil
}

func (l *Library) address(symbol string) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, err := l.symbol(symbol)
	return uint64(a), err
}

// terminated is b followed by a NUL: b itself if it has one, as in a decoded
// request.
func terminated(b []byte) []byte {
	if n := len(b); cap(b) > n && b[: n+1 : n+1][n] == 0 {
		return b
	}
	return append(bytes.Clone(b), 0)
}

// result takes the return value of kind k from the registers. The ABI leaves
// the bits above an integer's width undefined. At most room bytes of a returned
// string are read, including the NUL.
func result(k signature.Kind, f *frame, room int) signature.Value {
	switch shift := 64 - k.Bits(); {
	case k == signature.F64:
		return signature.Value{Bits: f.floatResult}
	case k == signature.F32:
		return signature.Value{Bits: uint64(uint32(f.floatResult))}
	case k.Signed():
		return signature.Int(int64(f.result) << shift >> shift)
	case k.Unsigned():
		return signature.Uint(f.result << shift >> shift)
	case k == signature.Bool:
		return signature.Boolean(uint8(f.result) != 0)
	case k == signature.Str:
		if f.result == 0 {
			return signature.Value{Null: true}
		}
		return signature.Bytes(cString(*(*unsafe.Pointer)(unsafe.Pointer(&f.result)), room))
	}
	return signature.Value{}
}

// cString returns the bytes at p before the first NUL, or limit bytes if none
// of them is NUL, which is too long by one. They are C's memory. It reads only
// pages that contain a part of the string.
func cString(p unsafe.Pointer, limit int) []byte {
	const page = 4096
	for n := 0; n < limit; {
		at := unsafe.Add(p, n)
		size := min(page-int(uintptr(at)%page), limit-n)
		if i := bytes.IndexByte(unsafe.Slice((*byte)(at), size), 0); i >= 0 {
			return unsafe.Slice((*byte)(p), n+i)
		}
		n += size
	}
	return unsafe.Slice((*byte)(p), limit)
}
