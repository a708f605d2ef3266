// SPDX-License-Identifier: Apache-2.0

package labproto

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
)

func TestFramesArriveAsTheyWereSent(t *testing.T) {
	var stream bytes.Buffer
	c := NewConn(&stream)
	job := Job{Args: []string{"xl", "list"}, TTY: &Window{Rows: 24, Cols: 80}}
	if err := c.SendJSON(KindJob, job); err != nil {
		t.Fatal(err)
	}
	if err := c.Send(KindStdinEOF, nil); err != nil {
		t.Fatal(err)
	}
	f, err := c.Receive()
	if err != nil || f.Kind != KindJob {
		t.Fatalf("kind %d, %v", f.Kind, err)
	}
	var got Job
	if err := f.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if strings.Join(got.Args, " ") != "xl list" || *got.TTY != *job.TTY {
		t.Errorf("got %+v, want %+v", got, job)
	}
	if f, err = c.Receive(); err != nil || f.Kind != KindStdinEOF || len(f.Payload) != 0 {
		t.Errorf("got %+v, %v", f, err)
	}
	if _, err = c.Receive(); err != io.EOF {
		t.Errorf("at the end: %v, want EOF", err)
	}
}

func TestWriterSplitsLongData(t *testing.T) {
	var stream bytes.Buffer
	c := NewConn(&stream)
	text := bytes.Repeat([]byte("0123456789"), MaxPayload/4)
	if n, err := c.Writer(KindStdout).Write(text); n != len(text) || err != nil {
		t.Fatalf("wrote %d, %v", n, err)
	}
	var got []byte
	frames := 0
	for {
		f, err := c.Receive()
		if err == io.EOF {
			break
		}
		if err != nil || f.Kind != KindStdout {
			t.Fatalf("frame %+v, %v", f.Kind, err)
		}
		got = append(got, f.Payload...)
		frames++
	}
	if !bytes.Equal(got, text) || frames != 3 {
		t.Errorf("%d bytes in %d frames, want %d in 3", len(got), frames, len(text))
	}
	if err := c.Send(KindStdout, text); err == nil {
		t.Error("a frame over the limit was sent")
	}
}

func TestFramesDoNotInterleave(t *testing.T) {
	var stream bytes.Buffer
	c := NewConn(&stream)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 100 {
				if err := c.Send(KindStdout, bytes.Repeat([]byte{byte(i)}, 100*i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for range 400 {
		f, err := c.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if n := len(f.Payload); n > 0 && (n != 100*int(f.Payload[0]) || bytes.Count(f.Payload, f.Payload[:1]) != n) {
			t.Fatalf("mixed frame of %d bytes", n)
		}
	}
}

func TestReceiveRefusesBadFrames(t *testing.T) {
	for name, in := range map[string]string{
		"magic":     "xL\x04\x00\x00\x00\x00\x00",
		"no kind":   "vL\x00\x00\x00\x00\x00\x00",
		"past kind": "vL\xf0\x00\x00\x00\x00\x00",
		"reserved":  "vL\x04\x01\x00\x00\x00\x00",
		"length":    "vL\x04\x00\xff\xff\xff\xff",
		"cut":       "vL\x04\x00\x05\x00\x00\x00abc",
		"no body":   "vL\x04\x00\x05\x00\x00\x00",
		"cut head":  "vL\x04",
	} {
		_, err := NewConn(bytes.NewBufferString(in)).Receive()
		if err == nil || err == io.EOF {
			t.Errorf("%s: %v", name, err)
		}
		if strings.HasPrefix(name, "cut") && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v, want an unexpected EOF", name, err)
		}
	}
}

// No input makes Receive panic, and every accepted frame is sent again as the
// same bytes.
func FuzzReceive(f *testing.F) {
	f.Add([]byte("vL\x04\x00\x03\x00\x00\x00abcvL\x0c\x00\x02\x00\x00\x00{}"))
	f.Add([]byte("vL\x04\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		c := NewConn(bytes.NewBuffer(bytes.Clone(in)))
		var again bytes.Buffer
		out := NewConn(&again)
		for {
			frame, err := c.Receive()
			if err != nil {
				break
			}
			if err := out.Send(frame.Kind, frame.Payload); err != nil {
				t.Fatal(err)
			}
			var exit Exit
			_ = frame.Decode(&exit) // must not panic
		}
		if !bytes.HasPrefix(in, again.Bytes()) {
			t.Errorf("accepted %q of %q", again.Bytes(), in)
		}
	})
}
