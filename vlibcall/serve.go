// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

// conn is the server's side of one channel.
type conn struct {
	area
	server   *Server
	ep       transport.ServerEndpoint
	period   uint64 // of the client, in nanoseconds; the largest for none
	next     uint64 // number of the next request
	polled   bool   // the last request asked for it
	patience patience
	bound    []*binding
	calls    []Call // one for each slot

	serving atomic.Int32   // requests that handlers serve, if several do at once
	working sync.WaitGroup // on them
	dropped bool           // the client has left: only working keeps the memory
	closed  atomic.Bool    // nor does that: the listener has forgotten the endpoint
}

// binding is what a function's number stands for.
type binding struct {
	library, function string
	handler           Handler // nil: look it up
	changes           uint64  // Server.changes when it was looked up
}

func newConn(s *Server, ep transport.ServerEndpoint) (*conn, error) {
	h, err := transport.HeaderOf(ep.Header())
	if err != nil {
		return nil, err
	}
	inFlight := int(h.Client.InFlight.Load())
	if err := transport.CheckInFlight(inFlight); err != nil {
		return nil, err
	}
	data, err := ep.Data()
	if err != nil {
		return nil, err
	}
	cn := &conn{
		area:   newArea(h, transport.HeaderSize+len(data), inFlight),
		server: s, ep: ep, period: h.Client.Period.Load() - 1, next: 1, patience: newPatience(), calls: make([]Call, inFlight),
	}
	for i := range cn.calls {
		c := &cn.calls[i]
		c.conn, c.slot, c.at = cn, i, &h.Slots[i]
	}
	return cn, nil
}

// notify signals the client, in one system call with the next wait if possible.
func (cn *conn) notify() {
	if cn.server.places == nil && cn.server.window(cn) == 0 {
		cn.ep.NotifyLate()
		return
	}
	cn.ep.Notify()
}

func (cn *conn) setWaiting(v uint32) {
	if cn.h.Server.Waiting.Load() != v {
		cn.h.Server.Waiting.Swap(v)
	}
}

// asked reports whether the next request has come. One that has come before the last
// one in its slot is answered has not: a handler still uses the slot.
func (cn *conn) asked() bool {
	if cn.calls[cn.slot(cn.next)].served.Load() {
		return false
	}
	switch turn := transport.Turn(cn.h.Slots[cn.slot(cn.next)].Turn.Load()); turn {
	case transport.TurnOf(cn.next, transport.Asked), transport.TurnOf(cn.next, transport.GivenUp):
		return true
	}
	return false
}

// request takes a new request from the channel; nil if there is none.
func (cn *conn) request() *Call {
	if !cn.asked() {
		return nil
	}
	c := &cn.calls[cn.slot(cn.next)]
	c.id = cn.next
	cn.next++
	c.shape = shape(c.at.Shape.Load())
	c.timeout = c.at.Timeout.Load()
	c.output = 0
	c.watch = nil
	c.malformed = c.load()
	c.unpaid = cn.ep.Begin(c.id)
	return c
}

// Call is one request, on the server's side. It is valid until Done, for
// one goroutine.
type Call struct {
	conn      *conn
	slot      int
	at        *transport.Slot
	id        uint64
	shape     shape
	timeout   uint64
	function  *binding // nil: it is malformed
	malformed error
	unpaid    error // the reason if no reservation is charged
	input     []byte
	output    shape
	watch     *cancelWatch
	served    atomic.Bool // several requests are served at once, and this is one of them

	in [transport.SlotSize]byte // a request in the slot, where its answer will be
}

// load checks the lengths, copies what is in the slot, and binds a function.
func (c *Call) load() error {
	cn := c.conn
	c.function = nil
	flags := c.shape.flags()
	cn.polled = flags&flagPoll != 0
	if flags&unknownFlags != 0 || c.shape.place() == flagsOfPlace {
		c.shape = 0 // its answer does not go behind it
		return badRequest("flags %#x", flags)
	}
	var part []byte
	switch c.shape.place() {
	case 0:
		c.in = c.at.Line
		part = c.in[:]
	case flagNear:
		part = cn.part(c.slot)
	case flagData:
		data, err := cn.ep.Data()
		if err != nil {
			return err
		}
		part = cn.partOf(data, c.slot)
	}
	length := c.shape.length()
	if length > len(part) {
		c.shape = 0
		return badRequest("%d bytes where %d fit", length, len(part))
	}
	c.input = part[:length:length]
	number := int(c.shape.word())
	if flags&flagNames != 0 {
		if err := c.bind(number); err != nil {
			return err
		}
	}
	if number < len(cn.bound) {
		c.function = cn.bound[number]
	}
	if c.function == nil {
		return badRequest("function %d is not bound in this channel", number)
	}
	return nil
}

func badRequest(format string, args ...any) error {
	return &StatusError{Status: StatusBadRequest, Detail: fmt.Sprintf(format, args...)}
}

// bind takes the names off the input.
func (c *Call) bind(number int) error {
	if number >= mostFunctions {
		return badRequest("function %d of at most %d", number, mostFunctions)
	}
	// Searched in a copy: the channel's contents may change.
	var names [2*MaxName + 2]byte
	library, function, input, ok := cutNames(names[:copy(names[:], c.input)])
	if !ok || input > len(c.input) {
		return badRequest("not two names with a NUL behind each")
	}
	c.input = c.input[input:]
	cn := c.conn
	if n := number + 1 - len(cn.bound); n > 0 {
		cn.bound = append(cn.bound, make([]*binding, n)...)
	}
	cn.bound[number] = &binding{library: string(library), function: string(function)}
	return nil
}

// Peer is the calling process; ok is false if the transport does not know it.
func (c *Call) Peer() (p transport.Peer, ok bool) { return c.conn.ep.Peer() }

// ChannelSize is the size of a channel with one slot into which a request fits that
// fits into the call's channel, in bytes.
func (c *Call) ChannelSize() int { return channelSize(1, max(c.conn.data, c.conn.near)) }

// Library that the client named.
func (c *Call) Library() string { return c.function.library }

// Function that the client named.
func (c *Call) Function() string { return c.function.function }

// Input is the client's data. More than transport.SlotSize bytes are in the channel:
// the client can change them while they are read. A handler that checks them before
// use must copy them.
func (c *Call) Input() []byte { return c.input }

// place is where an output of n bytes fits: in the slot, else in the near part, else
// in the data part.
func (c *Call) place(n int) (part []byte, flags uint16, err error) {
	if n <= transport.SlotSize {
		return c.at.Line[:], 0, nil
	}
	cn := c.conn
	if at := c.shape.answerAt(flagNear); at+n <= cn.near {
		return cn.part(c.slot)[at:], flagNear, nil
	}
	at := c.shape.answerAt(flagData)
	if at+n > cn.data {
		return nil, 0, &StatusError{Status: StatusTooLarge, Detail: fmt.Sprintf(
			"output of %d bytes where %d fit; open the channel with at least %d", n, c.Room(), channelSize(len(cn.calls), at+n))}
	}
	data, err := cn.ep.Data()
	if err != nil {
		return nil, 0, err
	}
	return cn.partOf(data, c.slot)[at:], flagData, nil
}

// Room is the largest output that this call can carry, in bytes.
func (c *Call) Room() int {
	return max(transport.SlotSize, c.conn.near-c.shape.answerAt(flagNear), c.conn.data-c.shape.answerAt(flagData))
}

// Reserve makes the output n bytes long and returns it, with its previous contents, in
// the channel: the client can change it. ErrTooLarge: it does not fit.
func (c *Call) Reserve(n int) ([]byte, error) {
	part, flags, err := c.place(n)
	if err != nil {
		return nil, err
	}
	c.output = pack(n, uint16(StatusOK), flags)
	return part[:n:n], nil
}

// Reply makes the output a copy of b, which may be the beginning of what Reserve
// returned: if it is in its place there, nothing is copied.
func (c *Call) Reply(b []byte) error {
	if len(b) <= transport.SlotSize {
		c.output = pack(copy(c.at.Line[:], b), uint16(StatusOK), 0)
		return nil
	}
	out, err := c.Reserve(len(b))
	if err != nil {
		return err
	}
	if &out[0] != &b[0] {
		copy(out, b)
	}
	return nil
}

// Cancelled reports whether the client no longer waits for this call, or is gone.
// It is cheap enough to poll.
func (c *Call) Cancelled() bool {
	return transport.Turn(c.at.Turn.Load()) != transport.TurnOf(c.id, transport.Asked) || c.conn.ep.Gone() != nil
}

// Timeout is the longest time that the client allows for the call; 0 if it gave
// none.
func (c *Call) Timeout() time.Duration {
	return time.Duration(min(c.timeout, math.MaxInt64))
}

// Context is done when the client cancels, is gone, or its time is over. It
// ends with the call.
func (c *Call) Context(parent context.Context) context.Context {
	if c.watch == nil {
		c.watch = watchCancel(parent, c)
	}
	return c.watch.ctx
}

// Done publishes the answer, or err, and signals the client if it waits for that.
func (c *Call) Done(err error) {
	if c.watch != nil {
		c.watch.stop()
	}
	cn := c.conn
	cn.ep.End(c.id)
	if err != nil {
		c.refuse(err)
	}
	plainStore(&c.at.Shape, uint64(c.output))
	turn, answered := &c.at.Turn, transport.TurnOf(c.id, transport.Answered)
	several := cn.server.places != nil
	if several {
		c.served.Store(false) // from here on c may be the next request
	}
	turn.Swap(uint64(answered))
	idle := !several || cn.serving.Add(-1) == 0
	// A client that cannot be signalled is gone, and its channel is dropped
	// when the transport reports that.
	switch cn.h.Client.Waiting.Load() {
	case 0:
	case transport.WakeWhenDone:
		if idle && (several || !cn.asked()) {
			cn.notify()
		}
	default:
		cn.notify()
	}
	if several {
		cn.server.ended(cn)
	}
}

// refuse makes the output an error's text, cut to the room that there is.
func (c *Call) refuse(err error) {
	status, detail := StatusOf(err)
	part, flags, err := c.place(len(detail))
	if err != nil {
		detail = detail[:min(c.Room(), len(detail))]
		if part, flags, err = c.place(len(detail)); err != nil {
			detail, part, flags = detail[:transport.SlotSize], c.at.Line[:], 0
		}
	}
	c.output = pack(copy(part, detail), uint16(status), flags)
}
