package board

// Forget has nothing remembered, as when there is more than is kept.
func (b *Board) Forget() {
	b.memory.mu.Lock()
	defer b.memory.mu.Unlock()
	clear(b.memory.tests)
}
