package store

import (
	"encoding/base64"
	"encoding/json"

	"github.com/seatrial/seatrial/controlplane/fault"
)

const (
	defaultPage = 50
	maxPage     = 1000
)

// pageSize bounds what a caller asks for.
func pageSize(asked int) int {
	if asked <= 0 {
		return defaultPage
	}
	return min(asked, maxPage)
}

// encodeCursor makes the opaque place after which the next page begins.
func encodeCursor[T any](place T) (string, error) {
	text, err := json.Marshal(place)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(text), nil
}

// decodeCursor reads a place; ok is false when there is none, that is on the first page.
func decodeCursor[T any](cursor string) (place T, ok bool, err error) {
	if cursor == "" {
		return place, false, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(text, &place)
	}
	if err != nil {
		return place, false, fault.New(fault.Invalid, "the page token is not one of ours").WithField("page_token").
			WithHint("Pass the next_page_token of the page before unchanged, or none for the first page.")
	}
	return place, true, nil
}

// cut splits off the row that was read beyond the page and returns the cursor of the last one kept.
func cut[R, T any](rows []R, size int, place func(R) T) (page []R, next string, err error) {
	if len(rows) <= size {
		return rows, "", nil
	}
	page = rows[:size]
	next, err = encodeCursor(place(page[size-1]))
	return page, next, err
}
