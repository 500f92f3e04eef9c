package forge

// bitbucket reads the events of Bitbucket Cloud, which tell of no files.
func bitbucket(event string, body []byte) ([]Push, error) {
	switch event {
	case "repo:push":
		return bitbucketPush(body)
	case "pullrequest:created", "pullrequest:updated":
		return bitbucketPull(body)
	}
	return nil, nil
}

type bitbucketUser struct {
	Nickname    string `json:"nickname"`
	DisplayName string `json:"display_name"`
}

func (u bitbucketUser) name() string {
	if u.Nickname != "" {
		return u.Nickname
	}
	return u.DisplayName
}

func bitbucketPush(body []byte) ([]Push, error) {
	type state struct {
		Type   string `json:"type"`
		Name   string `json:"name"`
		Target struct {
			Hash string `json:"hash"`
		} `json:"target"`
	}
	var m struct {
		Actor      bitbucketUser `json:"actor"`
		Repository repository    `json:"repository"`
		Push       struct {
			Changes []struct {
				New *state `json:"new"`
				Old *state `json:"old"`
			} `json:"changes"`
		} `json:"push"`
	}
	if err := decode(body, &m); err != nil {
		return nil, err
	}
	var out []Push
	for _, c := range m.Push.Changes {
		if c.New == nil {
			continue // it was removed
		}
		ref := "refs/heads/" + c.New.Name
		if c.New.Type == "tag" || c.New.Type == "annotated_tag" {
			ref = "refs/tags/" + c.New.Name
		}
		before := ""
		if c.Old != nil {
			before = c.Old.Target.Hash
		}
		out = append(out, refPush(m.Repository.FullName, ref, c.New.Target.Hash, before, m.Actor.name()))
	}
	return out, nil
}

func bitbucketPull(body []byte) ([]Push, error) {
	type end struct {
		Branch struct {
			Name string `json:"name"`
		} `json:"branch"`
		Commit struct {
			Hash string `json:"hash"`
		} `json:"commit"`
		Repository repository `json:"repository"`
	}
	var m struct {
		Actor       bitbucketUser `json:"actor"`
		Repository  repository    `json:"repository"`
		PullRequest struct {
			ID          int64 `json:"id"`
			Source      end   `json:"source"`
			Destination end   `json:"destination"`
		} `json:"pullrequest"`
	}
	if err := decode(body, &m); err != nil {
		return nil, err
	}
	pr := m.PullRequest
	return []Push{{
		Event: PullRequestEvent, Repository: m.Repository.FullName, Ref: pr.Source.Branch.Name, Branch: pr.Destination.Branch.Name,
		Commit: pr.Source.Commit.Hash, Before: pr.Destination.Commit.Hash, Actor: m.Actor.name(), Number: pr.ID,
		Fork: pr.Source.Repository.FullName != m.Repository.FullName,
	}}, nil
}
