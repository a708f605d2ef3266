// SPDX-License-Identifier: Apache-2.0

// Package protocol encodes the messages between xenstored and its clients:
// <xen/io/xs_wire.h>. The client and its test daemon share it. It knows neither
// the meaning of a message nor any state.
package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Type is the kind of a message: enum xsd_sockmsg_type.
type Type uint32

// The message types used here. A reply has the type of its request, or Error.
const (
	Directory          Type = 1
	Read               Type = 2
	GetPerms           Type = 3
	Watch              Type = 4
	Unwatch            Type = 5
	TransactionStart   Type = 6
	TransactionEnd     Type = 7
	GetDomainPath      Type = 10
	Write              Type = 11
	Mkdir              Type = 12
	Remove             Type = 13
	SetPerms           Type = 14
	WatchEvent         Type = 15
	Error              Type = 16
	IsDomainIntroduced Type = 17
	DirectoryPart      Type = 22
)

const (
	// HeaderSize is the size of struct xsd_sockmsg.
	HeaderSize = 16
	// PayloadMax is XENSTORE_PAYLOAD_MAX, in both directions.
	PayloadMax = 4096
)

// ErrFormat reports that bytes are not a message.
var ErrFormat = errors.New("malformed xenstore message")

// Message is one message. In a received one the peer chooses everything.
type Message struct {
	Type    Type
	Request uint32 // echoed in the reply
	Tx      uint32 // transaction; 0 outside
	Payload []byte
}

// Append encodes m after b. The caller keeps the payload within PayloadMax.
func Append(b []byte, m Message) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(m.Type))
	b = binary.LittleEndian.AppendUint32(b, m.Request)
	b = binary.LittleEndian.AppendUint32(b, m.Tx)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m.Payload)))
	return append(b, m.Payload...)
}

// Receive reads one message. The caller owns the payload. The error is
// ErrFormat for a length over PayloadMax, and io.EOF only between messages.
func Receive(r io.Reader) (Message, error) {
	var h [HeaderSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return Message{}, err
	}
	m := Message{
		Type:    Type(binary.LittleEndian.Uint32(h[0:])),
		Request: binary.LittleEndian.Uint32(h[4:]),
		Tx:      binary.LittleEndian.Uint32(h[8:]),
	}
	n := binary.LittleEndian.Uint32(h[12:])
	if n > PayloadMax {
		return Message{}, fmt.Errorf("%w: payload of %d bytes, at most %d are allowed", ErrFormat, n, PayloadMax)
	}
	m.Payload = make([]byte, n)
	if _, err := io.ReadFull(r, m.Payload); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return Message{}, err
	}
	return m, nil
}
