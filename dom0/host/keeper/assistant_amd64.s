// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"
#include "go_asm.h"

// System calls, flags and errors of Linux on x86-64.
#define SYS_PWRITE64           18
#define SYS_CLONE              56
#define SYS_EXIT               60
#define SYS_SCHED_SETSCHEDULER 144
#define SYS_FUTEX              202
#define SYS_SCHED_SETAFFINITY  203
#define SYS_CLOCK_GETTIME      228

// CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID
#define CLONE_FLAGS               0x250f00
#define FUTEX_WAKE_PRIVATE        129
#define FUTEX_WAIT_BITSET_PRIVATE 137
#define CLOCK_MONOTONIC           1
#define ETIMEDOUT                 110
#define SECOND                    1000000000

// func startAssistant(p *page) int
//
// The new thread has registers alone: it uses no stack and calls nothing. R12 is
// the page.
TEXT ·startAssistant(SB), NOSPLIT, $0-16
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

// Until there is a visit, or the deadline has passed.
wait:
	MOVL page_changes(R12), R13
	MOVL page_done(R12), AX
	CMPL AX, page_request(R12)
	JNE  visit
	MOVQ page_deadline(R12), AX
	XORQ DX, DX
	MOVQ $SECOND, CX
	DIVQ CX
	MOVQ AX, page_until(R12)
	MOVQ DX, (page_until+8)(R12)
	LEAQ page_changes(R12), DI
	MOVQ $FUTEX_WAIT_BITSET_PRIVATE, SI
	MOVL R13, DX
	LEAQ page_until(R12), R10
	XORQ R8, R8
	MOVL $-1, R9
	MOVQ $SYS_FUTEX, AX
	SYSCALL
	CMPQ AX, $-ETIMEDOUT
	JNE  wait

	// The deadline may be a later one by now.
	MOVQ $CLOCK_MONOTONIC, DI
	LEAQ page_until(R12), SI
	MOVQ $SYS_CLOCK_GETTIME, AX
	SYSCALL
	MOVQ page_until(R12), CX
	IMULQ $SECOND, CX
	ADDQ (page_until+8)(R12), CX
	MOVL $1, page_acting(R12)
	MOVQ page_deadline(R12), AX
	CMPQ CX, AX
	JLT  acted

	// It acts again if the keeper raises a thread and is late once more.
	LEAQ const_tooLate(CX), DX
	LOCK
	CMPXCHGQ DX, page_deadline(R12)
	JNE  acted
	INCL page_acts(R12)
	MOVL page_threads(R12), R13
	LEAQ page_thread(R12), R14

act:
	TESTL R13, R13
	JEQ  write
	MOVL watched_tid(R14), DI
	MOVL watched_policy(R14), SI
	LEAQ page_param(R12), DX
	MOVQ $SYS_SCHED_SETSCHEDULER, AX
	SYSCALL
	ADDQ $watched__size, R14
	DECL R13
	JMP  act

write:
	MOVL page_length(R12), DX
	TESTL DX, DX
	JEQ  acted
	MOVL page_file(R12), DI
	LEAQ page_text(R12), SI
	XORQ R10, R10
	MOVQ $SYS_PWRITE64, AX
	SYSCALL

acted:
	MOVL $0, page_acting(R12)
	JMP  wait

visit:
	MOVL page_count(R12), R13
	TESTL R13, R13
	JEQ  end
	LEAQ page_sets(R12), R14

next:
	XORQ DI, DI
	MOVQ $cpuSet__size, SI
	MOVQ R14, DX
	MOVQ $SYS_SCHED_SETAFFINITY, AX
	SYSCALL
	ADDQ $cpuSet__size, R14
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
