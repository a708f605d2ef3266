// SPDX-License-Identifier: Apache-2.0

package labproto

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// Kind is the kind of a frame.
type Kind uint8

// The kinds of frames. The payload is the message of the same name as JSON, or
// plain bytes.
const (
	KindHello    Kind = 1 + iota // guest: Hello
	KindPlan                     // host: Plan
	KindPrepared                 // guest: empty, the machine may be saved now
	KindJob                      // host: Job
	KindStage                    // guest: bytes, the name of the stage
	KindRunning                  // guest: empty, the command starts now
	KindStdout                   // guest: bytes
	KindStderr                   // guest: bytes
	KindStdin                    // host: bytes
	KindStdinEOF                 // host: empty
	KindResize                   // host: Window
	KindLog                      // guest: Log
	KindFailed                   // guest: Failed
	KindExit                     // guest: Exit
	kindEnd
)

// MaxPayload limits a frame's payload, in bytes. So a faulty peer cannot make the
// other side allocate much.
const MaxPayload = 64 << 10

// A frame is magic (2 bytes), kind (1), zero (1), length (4, little-endian),
// payload. The magic detects a stream that is out of step.
const (
	headerSize = 8
	magic0     = 'v'
	magic1     = 'L'
)

// Frame is a received message.
type Frame struct {
	Kind    Kind
	Payload []byte
}

// Decode decodes the frame's JSON message into v.
func (f Frame) Decode(v any) error {
	if err := json.Unmarshal(f.Payload, v); err != nil {
		return fmt.Errorf("frame of kind %d: %w", f.Kind, err)
	}
	return nil
}

// Conn sends and receives frames on a stream. Sending is safe for concurrent use;
// receiving is for one goroutine. The caller closes the stream.
type Conn struct {
	r  io.Reader
	mu sync.Mutex // guards w: frames do not interleave
	w  io.Writer
}

// NewConn returns a Conn on a stream.
func NewConn(stream io.ReadWriter) *Conn { return &Conn{r: stream, w: stream} }

// Send sends one frame. It blocks while the peer does not read.
func (c *Conn) Send(kind Kind, payload []byte) error {
	if len(payload) > MaxPayload {
		return fmt.Errorf("frame of kind %d has %d bytes, the limit is %d", kind, len(payload), MaxPayload)
	}
	buf := make([]byte, headerSize, headerSize+len(payload))
	buf[0], buf[1], buf[2] = magic0, magic1, byte(kind)
	binary.LittleEndian.PutUint32(buf[4:], uint32(len(payload)))
	buf = append(buf, payload...)
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.w.Write(buf)
	return err
}

// SendJSON sends a message as JSON.
func (c *Conn) SendJSON(kind Kind, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.Send(kind, data)
}

// Receive returns the next frame. It returns [io.EOF] if the stream ends between
// frames, and an error for anything that is not a frame.
func (c *Conn) Receive() (Frame, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(c.r, h[:]); err != nil {
		return Frame{}, err
	}
	n := binary.LittleEndian.Uint32(h[4:])
	kind := Kind(h[2])
	if h[0] != magic0 || h[1] != magic1 || h[3] != 0 || kind == 0 || kind >= kindEnd {
		return Frame{}, fmt.Errorf("not a frame header: % x", h)
	}
	if n > MaxPayload {
		return Frame{}, fmt.Errorf("frame of kind %d claims %d bytes, the limit is %d", kind, n, MaxPayload)
	}
	f := Frame{Kind: kind, Payload: make([]byte, n)}
	if _, err := io.ReadFull(c.r, f.Payload); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, err
	}
	return f, nil
}

// Writer returns a writer whose data is sent in frames of one kind, split if it
// is longer than a frame.
func (c *Conn) Writer(kind Kind) io.Writer { return frameWriter{c, kind} }

type frameWriter struct {
	c    *Conn
	kind Kind
}

func (w frameWriter) Write(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		n := min(len(p)-sent, MaxPayload)
		if err := w.c.Send(w.kind, p[sent:sent+n]); err != nil {
			return sent, err
		}
		sent += n
	}
	return sent, nil
}
