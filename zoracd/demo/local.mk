# SPDX-License-Identifier: MIT
# What is installed when no model is configured; made by tools/demo-model.
dist_demo_DATA = %D%/model/config.json %D%/model/generation_config.json %D%/model/model.safetensors \
	%D%/model/tokenizer.json %D%/model/tokenizer_config.json
EXTRA_DIST += tools/demo-model/README.md tools/demo-model/ask.py tools/demo-model/awq.py \
	tools/demo-model/check_hf.py tools/demo-model/checkpoint.py tools/demo-model/corpus.py \
	tools/demo-model/dialogues.txt tools/demo-model/export.py tools/demo-model/made.txt \
	tools/demo-model/model.py tools/demo-model/reference.py tools/demo-model/requirements.txt \
	tools/demo-model/stories.txt tools/demo-model/tokenizer.py tools/demo-model/train.py \
	tools/demo-model/unknown.txt
EXTRA_DIST += tests/golden/demo/heldout.txt tests/golden/demo/reference.jsonl \
	tests/golden/demo-fp16/config.json tests/golden/demo-fp16/generation_config.json \
	tests/golden/demo-fp16/model.safetensors tests/golden/demo-fp16/tokenizer.json \
	tests/golden/demo-fp16/tokenizer_config.json

# A daemon started from the build tree finds its demo model beside itself.
all-local:
	@test -e zoracd/demo/model || { $(MKDIR_P) zoracd/demo && \
	  ln -s "$(abs_top_srcdir)/zoracd/demo/model" zoracd/demo/model; }
clean-local:
	@test ! -L zoracd/demo/model || rm -f zoracd/demo/model
