package forge

type project struct {
	Path string `json:"path_with_namespace"`
}

func gitlab(body []byte) ([]Push, error) {
	var m struct {
		Kind         string    `json:"object_kind"`
		Ref          string    `json:"ref"`
		Before       string    `json:"before"`
		After        string    `json:"after"`
		Checkout     string    `json:"checkout_sha"`
		UserName     string    `json:"user_username"`
		Project      project   `json:"project"`
		Commits      []changes `json:"commits"`
		TotalCommits int       `json:"total_commits_count"`
		User         gitUser   `json:"user"`
		Attributes   struct {
			IID          int64  `json:"iid"`
			Action       string `json:"action"`
			OldRev       string `json:"oldrev"`
			SourceBranch string `json:"source_branch"`
			TargetBranch string `json:"target_branch"`
			Source       int64  `json:"source_project_id"`
			Target       int64  `json:"target_project_id"`
			LastCommit   struct {
				ID string `json:"id"`
			} `json:"last_commit"`
		} `json:"object_attributes"`
	}
	if err := decode(body, &m); err != nil {
		return nil, err
	}
	switch m.Kind {
	case "push", "tag_push":
		if gone(m.After) {
			return nil, nil
		}
		commit := m.After
		if m.Checkout != "" { // of a tag with a message, After is the tag itself
			commit = m.Checkout
		}
		p := refPush(m.Project.Path, m.Ref, commit, m.Before, m.UserName)
		p.Paths, p.AllPaths = paths(m.Commits)
		p.AllPaths = p.AllPaths && p.Event == PushEvent && len(m.Commits) > 0 && m.TotalCommits <= len(m.Commits) // at most 20 are listed
		return []Push{p}, nil
	case "merge_request":
		a := m.Attributes
		if a.Action != "open" && a.Action != "reopen" && (a.Action != "update" || a.OldRev == "") {
			return nil, nil // an update without oldrev is about the title and the like
		}
		return []Push{{
			Event: PullRequestEvent, Repository: m.Project.Path, Ref: a.SourceBranch, Branch: a.TargetBranch, Commit: a.LastCommit.ID, Before: a.OldRev,
			Actor: m.User.name(), Number: a.IID, Fork: a.Source != a.Target,
		}}, nil
	}
	return nil, nil
}
