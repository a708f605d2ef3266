// SPDX-License-Identifier: Apache-2.0

package ffi

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall/signature"
)

// childEnv has, in a child process, the words of its one call.
const childEnv = "FFI_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(child(os.Args[1], os.Args[2], os.Args[3], os.Args[4:]))
	}
	dir, err := os.MkdirTemp("", "ffi")
	if err != nil {
		panic(err)
	}
	testLibrary = filepath.Join(dir, "libffitest.so")
	out, err := exec.Command("gcc", "-O1", "-Wall", "-Werror", "-Wno-infinite-recursion", "-fno-omit-frame-pointer",
		"-shared", "-fPIC", "-pthread", "-o", testLibrary, "testdata/ffitest.c").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "the tests need gcc: %v\n%s", err, out)
		os.Exit(1)
	}
	code := testkit.Run(m)
	os.RemoveAll(dir)
	os.Exit(code)
}

// testLibrary is the path of testdata/ffitest.c, compiled.
var testLibrary string

func open(t testing.TB, name string) *Library {
	t.Helper()
	l, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func request(t testing.TB, sig string, words ...string) *signature.Request {
	t.Helper()
	s, err := signature.Parse(sig)
	if err != nil {
		t.Fatal(err)
	}
	req, err := signature.ParseValues(s, words, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// call uses the whole path: words, bytes, call, bytes, result.
func call(t testing.TB, l *Library, function, sig string, words ...string) *signature.Result {
	t.Helper()
	return invoke(t, l, function, request(t, sig, words...))
}

func invoke(t testing.TB, l *Library, function string, sent *signature.Request) *signature.Result {
	t.Helper()
	b, err := sent.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	var received signature.Request
	if err := received.Decode(b); err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, sent.ResultSize()+(1<<17))
	n, err := l.Call(function, &received, dst)
	if err != nil {
		t.Fatalf("%s: %v", function, err)
	}
	var r signature.Result
	if err := r.Decode(dst[:n], sent); err != nil {
		t.Fatalf("%s: %v", function, err)
	}
	return &r
}
