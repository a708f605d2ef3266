// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// The nodes of the handshake, below the guest's home directory:
//
//	data/vlibos/<port>/server                     guest: greeting
//	data/vlibos/<port>/listens                    guest: user-mode, if the server listens from there
//	data/vlibos/<port>/channel/<request>          Dom0:  empty; its name is the request
//	data/vlibos/<port>/channel/<request>/answer   guest: answer
//
// A request is a name because a watch reports names: the guest need not read it.
// One directory for each channel ends with one request to xenstored.
// A channel that is asked for on a control channel has no node.
//
// The value of a node has words of the form key=value, separated by one space,
// in this order. Everything that a guest wrote is parsed strictly.

func serverDir(port transport.Port) string {
	return "data/vlibos/" + strconv.FormatUint(uint64(port), 10)
}

// home is the guest's home directory as Dom0 sees it.
func home(domid uint16) string {
	return "/local/domain/" + strconv.FormatUint(uint64(domid), 10) + "/"
}

// fromUserMode is written by a server that listens by an instruction. The
// module accepts the instruction from user mode only where Dom0 allows it. In
// the guest only root may write the node, so no other program can request it.
const fromUserMode = "user-mode"

// channelsDir and answerNode are names of nodes.
const (
	channelsDir = "/channel"
	answerNode  = "/answer"
)

// channelID identifies a channel. The client chooses it at random.
type channelID uint64

func (id channelID) String() string {
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(id)))
}

func parseChannelID(s string) (channelID, bool) {
	v, err := hex.DecodeString(s)
	if err != nil || len(v) != 8 || strings.ToLower(s) != s {
		return 0, false
	}
	return channelID(binary.BigEndian.Uint64(v)), true
}

// greeting announces that a server listens, its revision and its limits.
type greeting struct {
	revision uint32
	maxSize  uint64 // bytes of one channel
}

func (g greeting) String() string {
	return fmt.Sprintf("revision=%d max=%d", g.revision, g.maxSize)
}

func parseGreeting(s string) (g greeting, err error) {
	v, err := parseWords(s, "revision", "max")
	if err != nil {
		return g, err
	}
	if v[0] > 1<<32-1 {
		return g, fmt.Errorf("revision %d out of range", v[0])
	}
	return greeting{uint32(v[0]), v[1]}, nil
}

// request is a request for a channel.
type request struct {
	id         channelID
	revision   uint32
	size       int
	generation uint64
	control    bool // the channel is to ask for further ones
}

// String is the name of the request's node: four numbers, of which the first
// is that of the channel, and for a control channel a word.
func (r request) String() string {
	name := r.id.String() + "-" + strconv.FormatUint(uint64(r.revision), 10) + "-" +
		strconv.Itoa(r.size) + "-" + strconv.FormatUint(r.generation, 10)
	if r.control {
		name += controlSuffix
	}
	return name
}

// controlSuffix ends the request for a control channel. On that channel controlFunction
// of controlLibrary takes the name of a request, and returns its answer.
const (
	controlSuffix   = "-control"
	controlLibrary  = "vlib"
	controlFunction = "channel"
)

// requestID is the channel of a request, whatever else that asks for; ok is
// false if name is not a request's.
func requestID(name string) (id channelID, ok bool) {
	first, rest, _ := strings.Cut(name, "-")
	if strings.Contains(rest, "/") {
		return 0, false
	}
	return parseChannelID(first)
}

func parseRequest(name string) (r request, err error) {
	id, ok := requestID(name)
	plain, control := strings.CutSuffix(name, controlSuffix)
	numbers := strings.Split(plain, "-")
	if !ok || len(numbers) != 4 {
		return r, fmt.Errorf("%.80q: want four numbers with hyphens between them", name)
	}
	var v [3]uint64
	for i := range v {
		if v[i], err = strconv.ParseUint(numbers[i+1], 10, 64); err != nil {
			return r, fmt.Errorf("%.80q: want a number for %.40q", name, numbers[i+1])
		}
	}
	if v[0] != uint64(transport.Revision) {
		return r, fmt.Errorf("channel revision %d, this server speaks %d", v[0], transport.Revision)
	}
	if v[1] > transport.MaxSize {
		return r, fmt.Errorf("channel of %d bytes, at most %d", v[1], transport.MaxSize)
	}
	return request{id, uint32(v[0]), int(v[1]), v[2], control}, transport.CheckSize(int(v[1]))
}

// answer has the location of a channel: the grant of its header page, the grant
// of the first data page, which has the directory, and the event channel.
type answer struct {
	header, directory uint32 // grant references
	port              uint32 // event channel in the guest
}

func (a answer) String() string {
	return fmt.Sprintf("header=%d directory=%d port=%d", a.header, a.directory, a.port)
}

// refusalPrefix begins a refusal: error=<status> <text>, with one of the
// statuses of a call's reply.
const refusalPrefix = "error="

// maxRefusal is how many bytes of a reason are shown.
const maxRefusal = 500

func refusal(err error) string {
	status, detail := vlibcall.StatusOf(err)
	return fmt.Sprintf("%s%d %s", refusalPrefix, status, detail)
}

// parseRefusal returns the error of a refusal; ok is false if s is not one.
func parseRefusal(s string) (err error, ok bool) {
	s, ok = strings.CutPrefix(s, refusalPrefix)
	if !ok {
		return nil, false
	}
	number, detail, _ := strings.Cut(s, " ")
	status, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return fmt.Errorf("%w: refusal %.80q begins with no status", vlibcall.ErrProtocol, s), true
	}
	return received(vlibcall.Status(status), detail), true
}

// received is the error of a refusal.
func received(status vlibcall.Status, detail string) error {
	// One line: a second one could be taken for another program's in a log.
	detail = strings.Join(strings.Fields(detail), " ")
	return vlibcall.ReceivedStatus(status, []byte(detail[:min(len(detail), maxRefusal)]))
}

func parseAnswer(s string) (a answer, err error) {
	v, err := parseWords(s, "header", "directory", "port")
	if err != nil {
		return a, err
	}
	for _, n := range v {
		if n > 1<<32-1 {
			return a, fmt.Errorf("%d does not fit into 32 bits", n)
		}
	}
	return answer{uint32(v[0]), uint32(v[1]), uint32(v[2])}, nil
}

// parseWords requires exactly these keys, in order, with decimal values.
func parseWords(s string, keys ...string) ([]uint64, error) {
	words := strings.Split(s, " ")
	if len(words) != len(keys) {
		return nil, fmt.Errorf("%.80q: want the words %s", s, strings.Join(keys, ", "))
	}
	values := make([]uint64, len(keys))
	for i, key := range keys {
		text, ok := strings.CutPrefix(words[i], key+"=")
		v, err := strconv.ParseUint(text, 10, 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("%.80q: want %s=<number>", words[i], key)
		}
		values[i] = v
	}
	return values, nil
}
