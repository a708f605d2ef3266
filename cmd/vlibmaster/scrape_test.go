// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vlibos/vlibos/internal/testkit"
)

// freePort VARIABLE is a port without a listener.
func freePort(ts *testscript.TestScript, variable string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(variable, fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
	ts.Check(l.Close())
}

// scrapeClient keeps no connection, so that it does not keep a server either.
var scrapeClient = http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}

func scrape(url string) ([]byte, error) {
	r, err := scrapeClient.Get(url)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, r.Status)
	}
	return io.ReadAll(r.Body)
}

// get URL waits until there is an answer, which becomes the standard output;
// ! get URL expects that there is none.
func get(ts *testscript.TestScript, neg bool, args []string) {
	var b []byte
	var err error
	testkit.Holds(func() bool { b, err = scrape(args[0]); return err == nil || neg })
	if (err != nil) != neg {
		ts.Fatalf("get %s: %d bytes, %v", args[0], len(b), err)
	}
	ts.Stdout().Write(b)
}

// shows URL PATTERN waits until there is an answer with a line that matches.
func shows(ts *testscript.TestScript, _ bool, args []string) {
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	var b []byte
	if !testkit.Holds(func() bool { b, err = scrape(args[0]); return err == nil && pattern.Match(b) }) {
		ts.Fatalf("%s does not show %q: %v\n%s", args[0], args[1], err, b)
	}
}

// nothing URL waits until there is no answer.
func nothing(ts *testscript.TestScript, _ bool, args []string) {
	if !testkit.Holds(func() bool { _, err := scrape(args[0]); return err != nil }) {
		ts.Fatalf("%s still answers", args[0])
	}
}
