// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"
#include "go_asm.h"

// System calls and flags of Linux on x86-64.
#define SYS_CLONE             56
#define SYS_EXIT              60
#define SYS_FUTEX             202
#define SYS_SCHED_SETAFFINITY 203

// CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID
#define CLONE_FLAGS        0x250f00
#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129

// func startVisitor(p *page) int
//
// The new thread has registers alone: it uses no stack and calls nothing.
TEXT ·startVisitor(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), R12
	MOVQ $CLONE_FLAGS, DI
	XORQ SI, SI
	XORQ DX, DX
	LEAQ page_tid(R12), R10
	XORQ R8, R8
	MOVQ $SYS_CLONE, AX
	SYSCALL
	TESTQ AX, AX
	JEQ  wait
	MOVQ AX, ret+8(FP)
	RET

wait:
	MOVL page_done(R12), DX
	MOVL page_request(R12), AX
	CMPL AX, DX
	JNE  visit
	LEAQ page_request(R12), DI
	MOVQ $FUTEX_WAIT_PRIVATE, SI
	XORQ R10, R10
	MOVQ $SYS_FUTEX, AX
	SYSCALL
	JMP  wait

visit:
	MOVL page_count(R12), R13
	TESTL R13, R13
	JEQ  end
	LEAQ page_sets(R12), R14

next:
	XORQ DI, DI
	MOVQ $const_setSize, SI
	MOVQ R14, DX
	MOVQ $SYS_SCHED_SETAFFINITY, AX
	SYSCALL
	ADDQ $const_setSize, R14
	DECL R13
	JNE  next
	MOVL page_request(R12), AX
	MOVL AX, page_done(R12)
	LEAQ page_done(R12), DI
	MOVQ $FUTEX_WAKE_PRIVATE, SI
	MOVQ $1, DX
	MOVQ $SYS_FUTEX, AX
	SYSCALL
	JMP  wait

end:
	XORQ DI, DI
	MOVQ $SYS_EXIT, AX
	SYSCALL
	JMP  end
