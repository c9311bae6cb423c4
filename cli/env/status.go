package env

import (
	"errors"
)

// Exit statuses of the program, besides 0.
const (
	// ExitWrong: the command failed, or what it shows is not as it should be.
	ExitWrong = 1
	// ExitUsage: the command line is wrong.
	ExitUsage = 2
)

// ErrWrong ends a command that has shown that something is wrong: status 1, and nothing more is printed.
var ErrWrong = errors.New("something is wrong")

// usageError is a command line that is wrong.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// Usage marks an error as one of the command line: status 2.
func Usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// ExitStatus of the program after a command has ended so.
func ExitStatus(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usageError{}):
		return ExitUsage
	}
	return ExitWrong
}
