// SPDX-License-Identifier: Apache-2.0

package vlibos

import (
	"context"
	"fmt"
	"syscall"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/signature"
)

// Call calls a function of the domain's server with input, and returns its output.
// It blocks until the answer is there, ctx is done, Options.Timeout has passed, or
// the vLib OS is gone.
func (d *Domain) Call(ctx context.Context, library, function string, input []byte) ([]byte, error) {
	return d.channel.Call(ctx, library, function, input, nil)
}

// Go is [Domain.Call] without blocking: the call takes its place in the queue
// before Go returns, and its time begins then. Pending.Result waits for the output
// and returns it, and Pending.Done is closed when it is there. input must not change
// until then.
func (d *Domain) Go(ctx context.Context, library, function string, input []byte) *vlibcall.Pending {
	return d.channel.Go(ctx, library, function, input, nil)
}

// Batch makes several calls with one notification of the server, and returns when all
// have ended, with the first error among them. Each request gets its own output and
// error. Options.InFlight of them are in the channel at a time; the others follow. The
// server may answer in any order. A reservation is charged for them as for one call.
func (d *Domain) Batch(ctx context.Context, requests []vlibcall.Request) error {
	return d.channel.Batch(ctx, requests)
}

// Session is for many calls of one function in a row: neither side sleeps between
// two calls, and other clients of the domain wait. Other calls of this Domain do not.
// Session.Call(ctx, input, dst) makes one, and appends the output to dst[:0]. ctx
// bounds the opening.
func (d *Domain) Session(ctx context.Context, library, function string) (*vlibcall.Session, error) {
	return d.channel.Session(ctx, library, function)
}

// Result is what a C function has returned.
type Result struct {
	// Value is an int64 for i8 to i64, a uint64 for u8 to u64, a float32, a
	// float64, a bool, a string; nil for void and for a NULL string.
	Value any
	// Errno as the function left it; it was 0 before. It means something only if
	// Value says that the function failed.
	Errno syscall.Errno
	// Buffers are the contents of the io and out arguments, in their order.
	Buffers [][]byte
}

// CallC calls a C function of a shared library in the domain. The signature is its
// type in the notation of package vlibcall/signature: cos is f64(f64), crc32 of
// zlib u64(u64,in,u32), gethostname i32(out:64,u64). There is one argument for each
// type but out and null: any integer, a float32 or float64, a bool, a string, or
// bytes. It blocks as [Domain.Call] does.
//
// An error that matches vlibcall.ErrSignature says that signature and arguments do
// not fit each other; nothing was called.
func (d *Domain) CallC(ctx context.Context, library, function, sig string, args ...any) (*Result, error) {
	request, input, err := encode(sig, args)
	if err != nil {
		return nil, d.explain(&vlibcall.OpError{Op: "call", Target: library + ":" + function, Err: fmt.Errorf("%w: %w", vlibcall.ErrSignature, err)})
	}
	output, err := d.Call(ctx, library, function, input)
	if err != nil {
		return nil, err
	}
	var r signature.Result
	if err := r.Decode(output, request); err != nil {
		return nil, d.explain(fmt.Errorf("%w: %w", vlibcall.ErrProtocol, err))
	}
	result := &Result{Value: r.Any(), Errno: syscall.Errno(r.Errno)}
	for _, b := range r.Buffers {
		result.Buffers = append(result.Buffers, b.Bytes)
	}
	return result, nil
}

func encode(sig string, args []any) (r *signature.Request, input []byte, err error) {
	s, err := signature.Parse(sig)
	if err == nil {
		r, err = signature.NewRequest(s, args...)
	}
	if err == nil {
		input, err = r.Append(nil)
	}
	return r, input, err
}
